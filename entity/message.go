package entity

import (
	"reflect"
	"strings"

	"github.com/go-playground/validator/v10"
)

// jsonPath returns the path of a wrong field as the caller knows it: "lines[0].quantity". Embedded structs, whose fields
// JSON promotes, are not in it.
func jsonPath(t reflect.Type, wrong validator.FieldError) string {
	goPath := strings.TrimPrefix(wrong.StructNamespace(), t.Name()+".")
	var path strings.Builder
	for part := range strings.SplitSeq(goPath, ".") {
		name, rest, indexed := strings.Cut(part, "[")
		t = content(t)
		sf, ok := reflect.StructField{}, false
		if t.Kind() == reflect.Struct {
			sf, ok = t.FieldByName(name)
		}
		if !ok {
			return goPath // a map's key with a dot in it
		}
		t = sf.Type
		shown, tagged := jsonName(sf)
		if sf.Anonymous && !tagged {
			continue
		}
		if !tagged || shown == "-" {
			shown = sf.Name
		}
		if path.Len() > 0 {
			path.WriteByte('.')
		}
		path.WriteString(shown)
		if indexed {
			path.WriteString("[" + rest)
		}
	}
	return path.String()
}

// content returns the type inside of pointers, slices, maps and Opts.
func content(t reflect.Type) reflect.Type {
	for {
		switch {
		case t.Kind() == reflect.Pointer, t.Kind() == reflect.Slice, t.Kind() == reflect.Array, t.Kind() == reflect.Map:
			t = t.Elem()
		case isOpt(t):
			t = t.Field(0).Type
		default:
			return t
		}
	}
}

// messages says what a rule wants; %s is its parameter.
var messages = map[string]string{
	"required": "is required", "required_if": "is required", "required_unless": "is required", "required_with": "is required",
	"required_without": "is required", "email": "is not an email address", "url": "is not a URL", "uri": "is not a URI",
	"http_url": "is not a URL", "uuid": "is not a UUID", "uuid4": "is not a UUID", "uuid7": "is not a UUID", "oneof": "is not one of: %s",
	"alpha": "has characters that are no letters", "alphanum": "has characters that are no letters or digits",
	"numeric": "is not a number", "number": "is not a number", "boolean": "is not a boolean", "ip": "is not an IP address",
	"hostname": "is not a host name", "e164": "is not a phone number in E.164 form", "datetime": "is not a time of the form %s",
	"unique": "has a value twice", "eqfield": "differs from %s", "nefield": "must differ from %s", "gtfield": "must be greater than %s",
	"gtefield": "must not be less than %s", "ltfield": "must be less than %s", "ltefield": "must not be greater than %s",
	"contains": "does not contain %s", "startswith": "does not begin with %s", "endswith": "does not end with %s",
	"eq": "is not %s", "ne": "must not be %s", "iso4217": "is not a currency", "iso3166_1_alpha2": "is not a country",
	"timezone": "is not a time zone", "json": "is not JSON", "base64": "is not base64", "lowercase": "is not in lower case",
	"uppercase": "is not in upper case",
}

// sizes are the rules that mean a length or a number, by the kind of the field.
var sizes = map[string][2]string{
	"min": {"must be at least %s", "at least"}, "gte": {"must be at least %s", "at least"},
	"max": {"must be at most %s", "at most"}, "lte": {"must be at most %s", "at most"},
	"gt": {"must be more than %s", "more than"}, "lt": {"must be less than %s", "less than"},
	"len": {"must be %s", "exactly"},
}

// message says what is wrong with a field, without its value.
func message(wrong validator.FieldError) string {
	rule, param := wrong.Tag(), wrong.Param()
	if size, ok := sizes[rule]; ok {
		switch wrong.Kind() {
		case reflect.String:
			return "must have " + size[1] + " " + counted(param, "character")
		case reflect.Slice, reflect.Array, reflect.Map:
			return "must have " + size[1] + " " + counted(param, "element")
		}
		return strings.Replace(size[0], "%s", param, 1)
	}
	if text, ok := messages[rule]; ok {
		return strings.Replace(text, "%s", param, 1)
	}
	if param != "" {
		rule += "=" + param
	}
	return "does not satisfy " + rule
}

func counted(n, what string) string {
	if n == "1" {
		return n + " " + what
	}
	return n + " " + what + "s"
}
