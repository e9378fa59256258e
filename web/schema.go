package web

import (
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
)

// schemaPrefix is where an OpenAPI document keeps its schemas.
const schemaPrefix = "#/components/schemas/"

// registry makes the schemas of an API's types. Huma's own refuses two types of one name from different packages, and
// knows neither UUIDs nor optional values. It is filled at registration, under the API's lock, and only read afterwards.
type registry struct {
	schemas map[string]*huma.Schema
	types   map[string]reflect.Type
	names   map[reflect.Type]string
	aliases map[reflect.Type]reflect.Type
}

var _ huma.Registry = (*registry)(nil)

func newRegistry() *registry {
	return &registry{
		schemas: map[string]*huma.Schema{},
		types:   map[string]reflect.Type{},
		names:   map[reflect.Type]string{},
		aliases: map[reflect.Type]reflect.Type{},
	}
}

var (
	timeType           = reflect.TypeFor[time.Time]()
	uuidType           = reflect.TypeFor[uuid.UUID]()
	schemaProviderType = reflect.TypeFor[huma.SchemaProvider]()
)

// Schema returns the schema of t, by reference where t is a struct and allowRef says so.
func (r *registry) Schema(t reflect.Type, allowRef bool, hint string) *huma.Schema {
	base := t
	for base.Kind() == reflect.Pointer {
		base = base.Elem()
	}
	if alias, ok := r.aliases[base]; ok {
		return r.Schema(alias, allowRef, hint)
	}
	if base == uuidType {
		return &huma.Schema{Type: huma.TypeString, Format: "uuid", Nullable: t != base}
	}
	if inner, ok := optional(base); ok {
		return r.Schema(inner, allowRef, hint)
	}
	if !named(base) {
		return huma.SchemaFromType(r, t)
	}
	name, known := r.names[base]
	if !known {
		name = r.claim(base, hint)
		s := huma.SchemaFromType(r, base)
		requireLess(s, base)
		r.schemas[name] = s
	}
	if allowRef {
		return &huma.Schema{Ref: schemaPrefix + name}
	}
	return r.schemas[name]
}

// named reports whether t gets a schema of its own name: a struct that is not written as a string.
func named(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != timeType && !either(t, schemaProviderType) && !either(t, textUnmarshaler)
}

// optional returns *T where t is an entity.Opt[T], whose JSON is a T, null, or absent.
func optional(t reflect.Type) (reflect.Type, bool) {
	if t.Kind() != reflect.Struct {
		return nil, false
	}
	if o, ok := reflect.Zero(t).Interface().(interface{ OptionalType() reflect.Type }); ok {
		return o.OptionalType(), true
	}
	return nil, false
}

// claim gives t a name that no other type has, and an empty schema for types that refer to themselves.
func (r *registry) claim(t reflect.Type, hint string) string {
	plain := huma.DefaultSchemaNamer(t, hint)
	name := plain
	if _, taken := r.schemas[name]; taken && t.PkgPath() != "" {
		pkg := path.Base(t.PkgPath())
		name = strings.ToUpper(pkg[:1]) + pkg[1:] + plain
	}
	for i := 2; ; i++ {
		if _, taken := r.schemas[name]; !taken {
			break
		}
		name = plain + strconv.Itoa(i)
	}
	r.schemas[name], r.types[name], r.names[t] = &huma.Schema{}, t, name
	return name
}

// SchemaFromRef returns the schema that a reference names, or nil.
func (r *registry) SchemaFromRef(ref string) *huma.Schema {
	return r.schemas[strings.TrimPrefix(ref, schemaPrefix)]
}

// TypeFromRef returns the type whose schema a reference names, or nil.
func (r *registry) TypeFromRef(ref string) reflect.Type {
	return r.types[strings.TrimPrefix(ref, schemaPrefix)]
}

// Map returns all schemas by name.
func (r *registry) Map() map[string]*huma.Schema { return r.schemas }

// RegisterTypeAlias makes t have the schema of alias.
func (r *registry) RegisterTypeAlias(t reflect.Type, alias reflect.Type) { r.aliases[t] = alias }

// MarshalJSON returns the schemas as they stand in the document.
func (r *registry) MarshalJSON() ([]byte, error) { return json.Marshal(r.schemas) }

// document renders the OpenAPI document as JSON and YAML.
func document(o *huma.OpenAPI) (asJSON, asYAML []byte, err error) {
	defer func() {
		if p := recover(); p != nil { // a schema that a user's type provides
			err = fmt.Errorf("rendering the OpenAPI document: %v", p)
		}
	}()
	if asJSON, err = json.Marshal(o); err != nil {
		return nil, nil, err
	}
	asYAML, err = o.YAML()
	return asJSON, asYAML, err
}
