// pack puts one static binary and the certificate authorities that it needs into an OCI image, without a container
// engine. Every byte follows from the arguments and the versions in go.mod: no time, user or folder of this machine is
// in it, and the compressor is pinned too.
//
//	pack -binary FILE -name NAME:TAG -arch ARCH -layout FOLDER -archive FILE [-epoch SECONDS] [-label KEY=VALUE]...
//
// It writes an OCI image layout, and the same as one file, which has Docker's manifest.json as well; so every engine
// can load it.
package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// task is what to make of what, and where.
type task struct {
	binary, name, arch, layout, archive string
	at                                  time.Time
	labels                              map[string]string
}

func main() {
	do := task{labels: map[string]string{}}
	flag.StringVar(&do.binary, "binary", "", "the executable")
	flag.StringVar(&do.name, "name", "", "the image's name and tag")
	flag.StringVar(&do.arch, "arch", "", "the architecture, as Go calls it")
	flag.StringVar(&do.layout, "layout", "", "the folder to write; what is there is removed")
	flag.StringVar(&do.archive, "archive", "", "the file to write")
	epoch := flag.Int64("epoch", 0, "the time of everything in the image, in seconds since 1970")
	flag.Func("label", "KEY=VALUE, may be repeated", func(text string) error {
		key, value, found := strings.Cut(text, "=")
		if !found {
			return fmt.Errorf("%q is not KEY=VALUE", text)
		}
		do.labels[key] = value
		return nil
	})
	flag.Parse()
	do.at = time.Unix(*epoch, 0).UTC()
	if err := do.run(); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func (do task) run() error {
	named, err := reference.ParseNormalizedNamed(do.name)
	if err != nil {
		return fmt.Errorf("%q: %w", do.name, err)
	}
	tagged, has := named.(reference.NamedTagged)
	if !has {
		return fmt.Errorf("%q has no tag", do.name)
	}
	executable, err := os.ReadFile(do.binary)
	if err != nil {
		return err
	}
	img, err := do.build(executable)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(do.layout); err != nil {
		return err
	}
	folder, err := layout.Write(do.layout, empty.Index)
	if err != nil {
		return err
	}
	// The first is what containerd calls it, the second what the specification has for the tag.
	err = folder.AppendImage(img, layout.WithAnnotations(map[string]string{
		"io.containerd.image.name":          tagged.String(),
		"org.opencontainers.image.ref.name": tagged.Tag(),
	}))
	if err != nil {
		return err
	}
	return do.pack(img, reference.FamiliarString(tagged))
}

// build makes the image: one layer, and how to run it.
func (do task) build(executable []byte) (v1.Image, error) {
	layer, err := layer(executable, do.at)
	if err != nil {
		return nil, err
	}
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err = mutate.Append(img, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: do.at}, CreatedBy: "hack/image"},
	})
	if err != nil {
		return nil, err
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.Created = v1.Time{Time: do.at}
	config.OS, config.Architecture = "linux", do.arch
	config.Config = v1.Config{
		User:       "65532:65532",
		WorkingDir: "/",
		Entrypoint: []string{"/innkeeper"},
		Labels:     do.labels,
	}
	return mutate.ConfigFile(img, config)
}

func layer(executable []byte, at time.Time) (v1.Layer, error) {
	var compressed bytes.Buffer
	squeezed, err := gzip.NewWriterLevel(&compressed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	files := tar.NewWriter(squeezed)
	for _, entry := range []struct {
		name    string
		mode    int64
		content []byte
	}{
		{"etc/", 0o755, nil},
		{"etc/ssl/", 0o755, nil},
		{"etc/ssl/certs/", 0o755, nil},
		{"etc/ssl/certs/ca-certificates.crt", 0o444, authorities()},
		{"innkeeper", 0o555, executable},
	} {
		if err := add(files, entry.name, entry.mode, entry.content, at); err != nil {
			return nil, err
		}
	}
	if err := files.Close(); err != nil {
		return nil, err
	}
	if err := squeezed.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(compressed.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
}

// authorities are Mozilla's, as the Go project publishes them, in PEM. Those that are to be trusted only under a
// condition are left out, because a file of certificates cannot state it.
func authorities() []byte {
	var text bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			// Writing to memory cannot fail, and there are no headers that could be refused.
			_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return text.Bytes()
}

// add writes one file, or a folder where the name ends in a slash, as root's.
func add(to *tar.Writer, name string, mode int64, content []byte, at time.Time) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content)), ModTime: at}
	if strings.HasSuffix(name, "/") {
		header.Typeflag = tar.TypeDir
	}
	if err := to.WriteHeader(header); err != nil {
		return err
	}
	_, err := to.Write(content)
	return err
}

// pack writes the layout as one file, with what engines look for that are older than the layout.
func (do task) pack(img v1.Image, name string) (err error) {
	manifest, err := docker(img, name)
	if err != nil {
		return err
	}
	output, err := os.Create(do.archive)
	if err != nil {
		return err
	}
	defer func() {
		if closed := output.Close(); err == nil {
			err = closed
		}
	}()
	files := tar.NewWriter(output)
	// WalkDir goes in the order of the names.
	err = fs.WalkDir(os.DirFS(do.layout), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if entry.IsDir() {
			return add(files, name+"/", 0o755, nil, do.at)
		}
		content, err := os.ReadFile(filepath.Join(do.layout, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		return add(files, name, 0o644, content, do.at)
	})
	if err != nil {
		return err
	}
	if err := add(files, "manifest.json", 0o644, manifest, do.at); err != nil {
		return err
	}
	return files.Close()
}

// docker is the manifest.json of `docker save`.
func docker(img v1.Image, name string) ([]byte, error) {
	blob := func(hash v1.Hash) string { return path.Join("blobs", hash.Algorithm, hash.Hex) }
	config, err := img.ConfigName()
	if err != nil {
		return nil, err
	}
	layers, err := img.Layers()
	if err != nil {
		return nil, err
	}
	entry := tarball.Descriptor{Config: blob(config), RepoTags: []string{name}}
	for _, layer := range layers {
		hash, err := layer.Digest()
		if err != nil {
			return nil, err
		}
		entry.Layers = append(entry.Layers, blob(hash))
	}
	return json.Marshal(tarball.Manifest{entry})
}
