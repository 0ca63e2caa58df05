package artifact

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"slipway/internal/golden"
)

const registry = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/"

var shop = []Definition{
	{"web", registry + "shop/express:1a2b3c4d5e6f"},
	{"api_v2", registry + "shop/flask:1a2b3c4d5e6f-dirty-01234567"},
	{"Side-Car", registry + "shop/side@sha256:" + strings.Repeat("ab", 32)},
}

func TestDefinitions(t *testing.T) {
	data, err := Definitions(shop)
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "imagedefinitions.golden", data)
	back, err := ParseDefinitions(data)
	if err != nil || !reflect.DeepEqual(back, shop) {
		t.Errorf("read back: %v, %v", back, err)
	}
}

func TestDefinitionsErrors(t *testing.T) {
	web := Definition{"web", "shop/web:1"}
	for _, tt := range []struct {
		defs  []Definition
		entry int
		field string
		says  string
	}{
		{[]Definition{web, {"", "a:1"}}, 2, "name", "is not an ECS container name"},
		{[]Definition{{"a b", "a:1"}}, 1, "name", `"a b"`},
		{[]Definition{{"a.b", "a:1"}}, 1, "name", `"a.b"`},
		{[]Definition{{"web\n", "a:1"}}, 1, "name", "is not an ECS"},
		{[]Definition{{strings.Repeat("a", 256), "a:1"}}, 1, "name", "255"},
		{[]Definition{web, {"b", "b:1"}, web}, 3, "name", "already the name of entry 1"},
		{[]Definition{{"web", ""}}, 1, "imageUri", "is not an image reference"},
		{[]Definition{{"web", "shop/web:"}}, 1, "imageUri", "empty tag"},
		{[]Definition{{"web", "Shop/Web:1"}}, 1, "imageUri", "is not an image reference"},
		{[]Definition{{"web", "shop/web:1 "}}, 1, "imageUri", "is not an image reference"},
		{[]Definition{{"web", "shop/web@sha256:12"}}, 1, "imageUri", "is not an image reference"},
	} {
		_, err := Definitions(tt.defs)
		var bad *DefinitionError
		if !errors.As(err, &bad) || bad.Entry != tt.entry || bad.Field != tt.field || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%v: got %v, want a DefinitionError of entry %d, %s, with %q", tt.defs, err, tt.entry, tt.field, tt.says)
		}
	}
	if _, err := Definitions(nil); !errors.Is(err, ErrNoDefinitions) {
		t.Errorf("none: got %v, want ErrNoDefinitions", err)
	}
}

// TestDefinitionsSize finds both sides of the limit to the byte.
func TestDefinitionsSize(t *testing.T) {
	var defs []Definition
	for i := range 400 {
		defs = append(defs, Definition{fmt.Sprintf("c%03d", i), "r/" + strings.Repeat("s", 200)})
	}
	data, err := Definitions(defs)
	must(t, err)
	for i := range defs {
		grow := min(50, MaxDefinitionsBytes-len(data))
		defs[i].ImageURI += strings.Repeat("s", grow)
		data, err = Definitions(defs)
		must(t, err)
	}
	if len(data) != MaxDefinitionsBytes {
		t.Fatalf("at the limit: %d bytes, want %v", len(data), MaxDefinitionsBytes)
	}
	defs[0].ImageURI += "s"
	_, err = Definitions(defs)
	var large *TooLargeError
	if !errors.As(err, &large) || large.Size != MaxDefinitionsBytes+1 || large.Limit != MaxDefinitionsBytes {
		t.Errorf("one byte more: got %v", err)
	}
	if _, err := ParseDefinitions(append(data, ' ')); !errors.As(err, &large) {
		t.Errorf("reading one byte more: got %v", err)
	}
}

func TestImageDetail(t *testing.T) {
	data, err := ImageDetail(shop[0].ImageURI)
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "imagedetail.golden", data)
	var bad *DefinitionError
	if _, err := ImageDetail("a b"); !errors.As(err, &bad) || !strings.HasPrefix(err.Error(), "image detail, ImageURI:") {
		t.Errorf("got %v, want a DefinitionError of ImageURI", err)
	}
}

func TestParseDefinitionsErrors(t *testing.T) {
	for in, want := range map[string]string{
		``:                                "unexpected EOF",
		`[]`:                              "at least one",
		`{}`:                              `expected "["`,
		`null`:                            `expected "["`,
		`["a"]`:                           `entry 1: expected "{"`,
		`[{"name":"a","imageUri":"b"}`:    "unexpected EOF",
		`[{"name":"a","imageUri":"b"},`:   "entry 2",
		`[{"name":"a","imageUri":"b"}] x`: "data after",
		`[{"name":"a","imageUri":"b"}][]`: "data after",
		`[{"name":"a"}]`:                  "imageUri: is missing",
		`[{"imageUri":"a"}]`:              "name: is missing",
		`[{"Name":"a","imageUri":"b"}]`:   `"Name" is unknown`,
		`[{"name":"a","imageURI":"b"}]`:   `"imageURI" is unknown`,
		`[{"name":"a","name":"b","imageUri":"c"}]`:                 `"name" is unknown or duplicate`,
		`[{"name":"a","imageUri":"b","more":1}]`:                   `"more"`,
		`[{"name":1,"imageUri":"b"}]`:                              "entry 1, name: expected a string",
		`[{"name":"a","imageUri":null}]`:                           "entry 1, imageUri: expected a string",
		`[{"name":"a","imageUri":["b"]}]`:                          "expected a string",
		`[{"name":"a","imageUri":"b"},{"name":"a","imageUri":""}]`: "entry 2, name",
		"[{\"name\":\"a\xff\",\"imageUri\":\"b\"}]":                "not UTF-8",
		"\ufeff[]":      "byte order mark of UTF-8: want UTF-8 without one",
		"\xff\xfe[\x00": "byte order mark of UTF-16",
	} {
		if defs, err := ParseDefinitions([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v, want %q", in, defs, err, want)
		}
	}
}

// FuzzParseDefinitions: what is read can be written, and reads the same.
func FuzzParseDefinitions(f *testing.F) {
	for _, s := range []string{
		`[]`, `[{"name":"a","imageUri":"b:c"}]`, `[{"imageUri":"b@sha256:x","name":"a"}]`,
		` [ { "name" : "\u0061" , "imageUri" : "b" } ] `, `[{"name":"a","name":"b","imageUri":"c"}]`, `[[[`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		defs, err := ParseDefinitions(in)
		if err != nil {
			return
		}
		out, err := Definitions(defs)
		var large *TooLargeError
		if errors.As(err, &large) {
			return // the indentation can carry it over the limit
		}
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseDefinitions(out)
		if err != nil || !reflect.DeepEqual(back, defs) {
			t.Fatalf("got %v, %v, want %v", back, err, defs)
		}
	})
}

func ExampleDefinitions() {
	data, err := Definitions([]Definition{
		{Name: "web", ImageURI: "111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/web:1a2b3c4d5e6f"},
		{Name: "api", ImageURI: "111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/api:1a2b3c4d5e6f"},
	})
	fmt.Print(string(data), err)
	// Output:
	// [
	//   {"name":"web","imageUri":"111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/web:1a2b3c4d5e6f"},
	//   {"name":"api","imageUri":"111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/api:1a2b3c4d5e6f"}
	// ]
	// <nil>
}
