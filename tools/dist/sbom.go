package main

import (
	"fmt"
	"io"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// writeSBOM writes a list of the programs and of the Go modules in each, from
// their build information, in the form of cyclonedx.org/docs/1.6/json. It has no
// serial number: the same programs give the same list.
func (r release) writeSBOM(w io.Writer) error {
	bom, err := r.bom()
	if err != nil {
		return err
	}
	return cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6)
}

func (r release) bom() (*cdx.BOM, error) {
	root := cdx.Component{BOMRef: r.name(), Type: cdx.ComponentTypeApplication, Name: r.name(), Version: r.version}
	programs := []cdx.Component{}
	libraries := map[string]cdx.Component{} // by reference
	contains := map[string][]string{}       // references by the reference of what contains them
	for _, p := range r.programs {
		c, err := r.program(p)
		if err != nil {
			return nil, err
		}
		programs = append(programs, c)
		contains[root.BOMRef] = append(contains[root.BOMRef], c.BOMRef)
		for _, m := range modules(p.info) {
			l := library(m)
			libraries[l.BOMRef] = l
			contains[c.BOMRef] = append(contains[c.BOMRef], l.BOMRef)
		}
	}
	for _, ref := range slices.Sorted(maps.Keys(libraries)) {
		programs = append(programs, libraries[ref])
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Timestamp: r.made.UTC().Format(time.RFC3339), Component: &root}
	bom.Components = &programs
	bom.Dependencies = dependencies(contains)
	return bom, nil
}

// program describes a program of the release by its checksum and its version.
func (r release) program(p program) (cdx.Component, error) {
	sum, err := checksum(p.path)
	if err != nil {
		return cdx.Component{}, err
	}
	c := cdx.Component{
		BOMRef:  "program:" + p.name,
		Type:    cdx.ComponentTypeApplication,
		Name:    p.name,
		Version: r.version, // of a program of Slipway's own
		Hashes:  &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: sum}},
	}
	if p.info.Main.Sum != "" {
		c.Version = p.info.Main.Version
	}
	return c, nil
}

// modules returns Go's standard library, the module that the program comes from
// if it was downloaded, and those that are linked into the program. A module
// that replaces another one stands for it.
func modules(info *debug.BuildInfo) []debug.Module {
	list := []debug.Module{{Path: "std", Version: strings.TrimPrefix(info.GoVersion, "go")}}
	if info.Main.Sum != "" {
		list = append(list, info.Main)
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		list = append(list, *m)
	}
	return list
}

// library describes a module by its package URL (github.com/package-url).
func library(m debug.Module) cdx.Component {
	url := fmt.Sprintf("pkg:golang/%s@%s", m.Path, strings.ReplaceAll(m.Version, "+", "%2B"))
	return cdx.Component{BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: url}
}

func dependencies(contains map[string][]string) *[]cdx.Dependency {
	list := []cdx.Dependency{}
	for _, ref := range slices.Sorted(maps.Keys(contains)) {
		refs := slices.Sorted(slices.Values(contains[ref]))
		list = append(list, cdx.Dependency{Ref: ref, Dependencies: &refs})
	}
	return &list
}
