// schemas writes one JSON schema for every kind, so that kubeconform needs no network:
//
//	schemas SWAGGER OUT CRD...
//
// From Kubernetes' own api/openapi-spec/swagger.json and from CustomResourceDefinitions, into
// OUT/<group, or version where there is none>/<kind>_<version>.json. Fields that a schema does not name are refused.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

type object = map[string]any

const (
	local      = "#/definitions/"
	objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
	quantity   = "io.k8s.apimachinery.pkg.api.resource.Quantity"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: schemas SWAGGER OUT CRD...")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

func run(swagger, out string, crds []string) error {
	text, err := os.ReadFile(swagger)
	if err != nil {
		return err
	}
	var document struct{ Definitions map[string]object }
	if err := json.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("%s: %w", swagger, err)
	}
	definitions := document.Definitions
	if definitions[objectMeta] == nil {
		return fmt.Errorf("%s does not define %s", swagger, objectMeta)
	}
	for _, definition := range definitions {
		narrow(definition)
	}
	// Read as a number too: `cpu: 2`.
	definitions[quantity] = object{"type": []any{"string", "number"}}

	for name, definition := range definitions {
		properties, _ := definition["properties"].(object)
		metadata, _ := properties["metadata"].(object)
		if metadata["$ref"] != local+objectMeta {
			continue // a part of an object, or a list of them
		}
		kinds, _ := definition["x-kubernetes-group-version-kind"].([]any)
		for _, entry := range kinds {
			kind, _ := entry.(object)
			schema := object{"$ref": local + name}
			err := write(out, word(kind, "group"), word(kind, "version"), word(kind, "kind"), schema, definitions)
			if err != nil {
				return err
			}
		}
	}
	for _, file := range crds {
		if err := custom(file, out, definitions); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func word(from object, key string) string {
	text, _ := from[key].(string)
	return text
}

// One CustomResourceDefinition: a schema for each of its versions.
func custom(file, out string, definitions map[string]object) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var crd struct {
		Kind string
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Schema struct{ OpenAPIV3Schema object }
			}
		}
	}
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return err
	}
	if crd.Kind != "CustomResourceDefinition" || len(crd.Spec.Versions) == 0 {
		return fmt.Errorf("a CustomResourceDefinition with a version is expected, this is %q", crd.Kind)
	}
	for _, version := range crd.Spec.Versions {
		schema := version.Schema.OpenAPIV3Schema
		properties, ok := schema["properties"].(object)
		if !ok {
			return fmt.Errorf("version %s has no schema", version.Name)
		}
		// A definition need not name what every object has.
		properties["apiVersion"] = object{"type": "string"}
		properties["kind"] = object{"type": "string"}
		properties["metadata"] = object{"$ref": local + objectMeta}
		narrow(schema)
		err := write(out, crd.Spec.Group, version.Name, crd.Spec.Names.Kind, schema, definitions)
		if err != nil {
			return err
		}
	}
	return nil
}

// Refuses unknown fields, and says in JSON schema what OpenAPI as Kubernetes uses it says in its own words.
func narrow(schema object) {
	if word(schema, "format") == "int-or-string" || schema["x-kubernetes-int-or-string"] == true {
		schema["type"] = []any{"string", "integer"}
	}
	_, more := schema["additionalProperties"]
	keeps := schema["x-kubernetes-preserve-unknown-fields"] == true
	if _, has := schema["properties"].(object); has && !more && !keeps {
		schema["additionalProperties"] = false
	}
	if kind, ok := schema["type"].(string); ok && schema["nullable"] == true {
		schema["type"] = []any{kind, "null"}
	}
	for key, value := range schema {
		switch value := value.(type) {
		case object:
			if key == "properties" {
				for _, property := range value {
					if property, ok := property.(object); ok {
						narrow(property)
					}
				}
			} else if key == "items" || key == "additionalProperties" || key == "not" {
				narrow(value)
			}
		case []any:
			if key == "allOf" || key == "anyOf" || key == "oneOf" {
				for _, part := range value {
					if part, ok := part.(object); ok {
						// A part refuses nothing by itself: the whole names the fields.
						part["additionalProperties"] = true
						narrow(part)
					}
				}
			}
		}
	}
}

// Writes a schema together with the definitions it refers to, so that it stands alone.
func write(out, group, version, kind string, schema object, definitions map[string]object) error {
	used := object{}
	collect(schema, definitions, used)
	whole := object{"definitions": used}
	for key, value := range schema {
		whole[key] = value
	}
	if group == "" {
		group = version
	}
	folder := filepath.Join(out, group)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	text, err := json.Marshal(whole)
	if err != nil {
		return err
	}
	name := strings.ToLower(kind) + "_" + version + ".json"
	return os.WriteFile(filepath.Join(folder, name), text, 0o644)
}

func collect(value any, definitions map[string]object, used object) {
	switch value := value.(type) {
	case object:
		if name, ok := strings.CutPrefix(word(value, "$ref"), local); ok && used[name] == nil {
			used[name] = definitions[name]
			collect(definitions[name], definitions, used)
		}
		for _, part := range value {
			collect(part, definitions, used)
		}
	case []any:
		for _, part := range value {
			collect(part, definitions, used)
		}
	}
}
