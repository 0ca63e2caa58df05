package artifact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"slipway/internal/textmark"
)

// ParseDefinitions reads an image definitions file: UTF-8 without a byte
// order mark (RFC 8259, section 8.1), one array of
// objects that have exactly the fields name and imageUri, each once. An error in
// an entry is a *DefinitionError, a file over MaxDefinitionsBytes a
// *TooLargeError, and an empty array ErrNoDefinitions.
func ParseDefinitions(data []byte) ([]Definition, error) {
	if len(data) > MaxDefinitionsBytes {
		return nil, &TooLargeError{len(data), MaxDefinitionsBytes}
	}
	if mark := textmark.Of(data); mark != "" {
		return nil, fmt.Errorf("image definitions begin with the byte order mark of %s: want UTF-8 without one", mark)
	}
	if !utf8.Valid(data) {
		return nil, errors.New("image definitions are not UTF-8")
	}
	// Decoding into a struct would take NAME for name, and the last of two.
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := expect(dec, json.Delim('[')); err != nil {
		return nil, fmt.Errorf("image definitions: %w", err)
	}
	var defs []Definition
	for dec.More() {
		d, err := parseEntry(dec, len(defs)+1)
		if err != nil {
			return nil, err
		}
		defs = append(defs, d)
	}
	if err := expect(dec, json.Delim(']')); err != nil {
		return nil, fmt.Errorf("image definitions: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("image definitions: there is data after the array")
	}
	return defs, check(defs)
}

func parseEntry(dec *json.Decoder, entry int) (Definition, error) {
	var d Definition
	if err := expect(dec, json.Delim('{')); err != nil {
		return d, &DefinitionError{Entry: entry, Reason: err.Error()}
	}
	fields := map[string]*string{"name": &d.Name, "imageUri": &d.ImageURI}
	for dec.More() {
		key, err := str(dec)
		if err != nil {
			return d, &DefinitionError{Entry: entry, Reason: err.Error()}
		}
		into, ok := fields[key]
		if !ok {
			return d, &DefinitionError{Entry: entry, Reason: fmt.Sprintf("field %q is unknown or duplicate", key)}
		}
		delete(fields, key)
		if *into, err = str(dec); err != nil {
			return d, &DefinitionError{entry, key, err.Error()}
		}
	}
	if err := expect(dec, json.Delim('}')); err != nil {
		return d, &DefinitionError{Entry: entry, Reason: err.Error()}
	}
	for _, key := range []string{"name", "imageUri"} {
		if _, missing := fields[key]; missing {
			return d, &DefinitionError{entry, key, "is missing"}
		}
	}
	return d, nil
}

func str(dec *json.Decoder) (string, error) {
	tok, err := token(dec)
	if err != nil {
		return "", err
	}
	s, ok := tok.(string)
	if !ok {
		return "", fmt.Errorf("expected a string, found %v", tok)
	}
	return s, nil
}

func expect(dec *json.Decoder, want json.Delim) error {
	tok, err := token(dec)
	if err != nil {
		return err
	}
	if tok != want {
		return fmt.Errorf("expected %q, found %v", want, tok)
	}
	return nil
}

func token(dec *json.Decoder) (json.Token, error) {
	tok, err := dec.Token()
	if errors.Is(err, io.EOF) {
		return nil, io.ErrUnexpectedEOF
	}
	return tok, err
}
