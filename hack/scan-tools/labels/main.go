// labels checks rendered objects (YAML on standard input) against the conventions that no scanner knows:
//
//	labels VERSION
//
// Every object and every pod template has the six labels app.kubernetes.io/{name,instance,version,component,part-of,
// managed-by}; VERSION is the value of the one and the tag of innkeeper's image; no selector names a label that changes
// from release to release; every namespaced object is in innkeeper-system, or in innkeeper-contacts. A finding is a line, and fails.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/util/yaml"
)

type object = map[string]any

const prefix = "app.kubernetes.io/"

var (
	six      = []string{"name", "instance", "version", "component", "part-of", "managed-by"}
	changing = []string{"version", "managed-by"}
	// Kinds of ours that belong to no namespace.
	clusterWide = []string{"Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding",
		"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
		"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"}
	findings = 0
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: labels VERSION <OBJECTS")
		os.Exit(2)
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(err)
	}
	count := 0
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := reader.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			fail(err)
		}
		var one object
		if err := yaml.Unmarshal(document, &one); err != nil {
			fail(err)
		}
		if len(one) > 0 {
			count++
			check(one, os.Args[1])
		}
	}
	if count == 0 {
		fail(fmt.Errorf("no objects"))
	}
	fmt.Printf("%d objects, %d findings\n", count, findings)
	if findings > 0 {
		os.Exit(1)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "labels:", err)
	os.Exit(1)
}

func check(one object, version string) {
	kind, _ := one["kind"].(string)
	metadata, _ := one["metadata"].(object)
	name := fmt.Sprintf("%s %v", kind, metadata["name"])
	labelled(name, one, version)
	if in := metadata["namespace"]; !has(clusterWide, kind) && in != "innkeeper-system" && in != "innkeeper-contacts" {
		found("%s: its namespace is %v", name, in)
	}
	spec, _ := one["spec"].(object)
	if template, ok := spec["template"].(object); ok {
		labelled(name+", its pods", template, version)
	}
	walk(name, one, version)
}

func labelled(name string, one object, version string) {
	metadata, _ := one["metadata"].(object)
	labels, _ := metadata["labels"].(object)
	for _, label := range six {
		if value, _ := labels[prefix+label].(string); value == "" {
			found("%s: no label %s%s", name, prefix, label)
		} else if label == "version" && value != version {
			found("%s: the label %s%s is %s, this is version %s", name, prefix, label, value, version)
		}
	}
}

// Selectors and images, wherever they are.
func walk(name string, value any, version string) {
	switch value := value.(type) {
	case object:
		for _, key := range keys(value) {
			if key == "selector" || strings.HasSuffix(key, "Selector") {
				selector(name+", its "+key, value[key])
			}
			if image, ok := value[key].(string); ok && key == "image" && !ours(image, version) {
				found("%s: its image is %s, this is innkeeper:%s", name, image, version)
			}
			walk(name, value[key], version)
		}
	case []any:
		for _, part := range value {
			walk(name, part, version)
		}
	}
}

// From whatever registry, and with whatever digest.
func ours(image, version string) bool {
	image, _, _ = strings.Cut(image, "@")
	return strings.HasSuffix("/"+image, "/innkeeper:"+version)
}

func selector(name string, value any) {
	labels, _ := value.(object)
	if inner, ok := labels["matchLabels"].(object); ok {
		labels = inner
	}
	for _, label := range changing {
		if _, there := labels[prefix+label]; there {
			found("%s names %s%s, which changes", name, prefix, label)
		}
	}
}

func found(format string, values ...any) {
	findings++
	fmt.Printf("    "+format+"\n", values...)
}

func keys(of object) []string {
	names := make([]string, 0, len(of))
	for name := range of {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func has(list []string, one string) bool {
	for _, entry := range list {
		if entry == one {
			return true
		}
	}
	return false
}
