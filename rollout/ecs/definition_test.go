package ecs

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"slipway/internal/golden"
	"slipway/rollout/internal/fakeaws"
)

func readDefinition(t testing.TB) (Definition, []byte) {
	t.Helper()
	body, err := os.ReadFile("testdata/definition.json")
	if err != nil {
		t.Fatal(err)
	}
	d, err := parseDefinition(body)
	if err != nil {
		t.Fatal(err)
	}
	return d, body
}

func TestWithImages(t *testing.T) {
	d, body := readDefinition(t)
	next, err := d.WithImages(map[string]string{"web": "shop/web:next", "api": "shop/api@sha256:2"})
	if err != nil {
		t.Fatal(err)
	}
	request, err := next.request()
	if err != nil {
		t.Fatal(err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, request, "", "  "); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "definition_request.golden", indented.Bytes())

	again, err := parseDefinition(body)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(d, again) {
		t.Error("WithImages changed the definition that it was called on")
	}
	if next.ARN != "" || next.Family != "shop" {
		t.Errorf("ARN %q, family %q", next.ARN, next.Family)
	}
}

func TestWithImagesNamesMissingContainers(t *testing.T) {
	d, _ := readDefinition(t)
	_, err := d.WithImages(map[string]string{"web": "x", "wbe": "x", "app": "x"})
	var missing *ContainerError
	if !errors.As(err, &missing) {
		t.Fatalf("error %v, want a *ContainerError", err)
	}
	want := &ContainerError{Definition: "shop:7", Missing: []string{"app", "wbe"}, Have: []string{"web", "log", "api"}}
	if !reflect.DeepEqual(missing, want) {
		t.Errorf("error %+v, want %+v", missing, want)
	}
	if got := err.Error(); got != "task definition shop:7 has no container app, wbe; it has web, log, api" {
		t.Errorf("it says %q, want task definition shop:7 has no container app, wbe; it has web, log, api", got)
	}
}

func TestParseDefinitionRefuses(t *testing.T) {
	for _, body := range []string{"", "[]", "{", `{"tags":[]}`, `{"taskDefinition":null}`, `{"taskDefinition":[]}`} {
		if _, err := parseDefinition([]byte(body)); err == nil {
			t.Errorf("%q was taken for a task definition", body)
		}
	}
}

// What the SDK does not know must come through both ways.
func TestUnknownFieldsSurviveTheWire(t *testing.T) {
	_, body := readDefinition(t)
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{
		"DescribeTaskDefinition": fakeaws.Fixed(body),
		"RegisterTaskDefinition": fakeaws.Fixed(fakeaws.Object{"taskDefinition": fakeaws.Object{"taskDefinitionArn": "arn:x/shop:8"}}),
	})
	d, err := describe(t.Context(), s.ECS(), "shop:7")
	if err != nil {
		t.Fatal(err)
	}
	next, err := d.WithImages(map[string]string{"web": "shop/web:next"})
	if err != nil {
		t.Fatal(err)
	}
	arn, err := register(t.Context(), s.ECS(), next)
	if err != nil {
		t.Fatal(err)
	}
	if arn != "arn:x/shop:8" {
		t.Errorf("registered %q, want arn:x/shop:8", arn)
	}
	if in := s.Of("DescribeTaskDefinition")[0].In; in["taskDefinition"] != "shop:7" || !slices.Equal(fakeaws.Strings(in, "include"), []string{"TAGS"}) {
		t.Errorf("asked for %v", in)
	}
	call := s.Of("RegisterTaskDefinition")[0]
	for _, part := range []string{`"limit":9007199254740993`, `"ratio":1.50`, `"images":["web",12345678901234567890]`, `"futurePort":"x"`, `"futureTag":1`, `"image":"shop/web:next"`} {
		if !bytes.Contains(call.Raw, []byte(part)) {
			t.Errorf("the request lacks %s:\n%s", part, call.Raw)
		}
	}
	if bytes.Contains(call.Raw, []byte("taskDefinitionArn")) || bytes.Contains(call.Raw, []byte("aws:cloudformation")) {
		t.Errorf("the request has what ECS refuses:\n%s", call.Raw)
	}
	checkSignature(t, call)
}

// checkSignature signs the received request again, and wants the same signature.
func checkSignature(t *testing.T, call fakeaws.Call) {
	t.Helper()
	got := call.HTTP.Header.Get("Authorization")
	_, rest, _ := strings.Cut(got, "SignedHeaders=")
	signed, _, _ := strings.Cut(rest, ",")
	request, err := http.NewRequest(http.MethodPost, "http://"+call.HTTP.Host+call.HTTP.URL.RequestURI(), bytes.NewReader(call.Raw))
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(signed, ";") {
		if v := call.HTTP.Header.Get(name); v != "" {
			request.Header.Set(name, v)
		}
	}
	at, err := time.Parse("20060102T150405Z", call.HTTP.Header.Get("X-Amz-Date"))
	if err != nil {
		t.Fatal(err)
	}
	id := aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}
	hash := fmt.Sprintf("%x", sha256.Sum256(call.Raw))
	if err := v4.NewSigner().SignHTTP(t.Context(), id, request, hash, "ecs", "eu-west-1", at); err != nil {
		t.Fatal(err)
	}
	if want := request.Header.Get("Authorization"); got != want {
		t.Errorf("signed\n%s\nwant\n%s", got, want)
	}
	if call.HTTP.ContentLength != int64(len(call.Raw)) {
		t.Errorf("Content-Length is %d, but %d bytes were sent", call.HTTP.ContentLength, len(call.Raw))
	}
}

func TestDescribeTellsRefusals(t *testing.T) {
	s := fakeaws.Start(t, map[string]func(fakeaws.Object) any{"DescribeTaskDefinition": fakeaws.Fixed(fakeaws.Refusal{Code: "ClientException"})})
	if _, err := describe(t.Context(), s.ECS(), "shop:7"); err == nil || !strings.Contains(err.Error(), "task definition shop:7") {
		t.Errorf("error %v", err)
	}
}

// Whatever ECS may answer, only the images change and the answer's own fields
// go.
func FuzzWithImages(f *testing.F) {
	_, body := readDefinition(f)
	f.Add(body, "web", "shop/web:next")
	f.Add([]byte(`{"taskDefinition":{"containerDefinitions":[{"name":"a"},7,{"name":"a","image":[]}]},"tags":[3]}`), "a", "b")
	f.Add([]byte(`{"taskDefinition":{"containerDefinitions":null}}`), "", "")
	f.Fuzz(func(t *testing.T, body []byte, container, image string) {
		d, err := parseDefinition(body)
		if err != nil {
			return
		}
		before := mustJSON(t, d)
		images := map[string]string{}
		if slices.Contains(d.containerNames(), container) {
			images[container] = image
		}
		next, err := d.WithImages(images)
		if err != nil {
			t.Fatal(err)
		}
		if mustJSON(t, d) != before {
			t.Error("the definition was changed")
		}
		for i, c := range d.containers() {
			was, is := maps.Clone(c), maps.Clone(next.containers()[i])
			if _, changed := images[stringField(c, "name")]; changed {
				if is["image"] != image {
					t.Errorf("image %v, want %q", is["image"], image)
				}
				delete(was, "image")
				delete(is, "image")
			}
			if !reflect.DeepEqual(was, is) {
				t.Errorf("container %d was %v and is %v", i, was, is)
			}
		}
		for field, value := range d.Fields {
			_, kept := next.Fields[field]
			if kept == slices.Contains(answerOnly, field) {
				t.Errorf("field %s kept: %t", field, kept)
			}
			if kept && field != "containerDefinitions" && !reflect.DeepEqual(value, next.Fields[field]) {
				t.Errorf("field %s changed", field)
			}
		}
	})
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
