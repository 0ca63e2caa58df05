package template

import (
	"encoding/binary"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// value evaluates a value. Entries without a value are left out.
func (e *evaluation) value(v any) (any, error) {
	switch v := v.(type) {
	case call:
		return e.function(v.function)(v.argument)
	case []any:
		out := []any{}
		for _, entry := range v {
			got, err := e.value(entry)
			if err != nil {
				return nil, err
			}
			if _, none := got.(noValue); !none {
				out = append(out, got)
			}
		}
		return out, nil
	case map[string]any:
		out := map[string]any{}
		for key, entry := range v {
			got, err := e.value(entry)
			if err != nil {
				return nil, err
			}
			if _, none := got.(noValue); !none {
				out[key] = got
			}
		}
		return out, nil
	}
	return v, nil
}

// function returns an intrinsic function, nil for a name that is not known.
func (e *evaluation) function(name string) func(argument any) (any, error) {
	switch name {
	case "Ref":
		return func(a any) (any, error) { return e.ref(text(a)) }
	case "Condition":
		return func(a any) (any, error) { return e.holds(text(a)) }
	case "Fn::And":
		return func(a any) (any, error) { return e.count(a, func(met, all int) bool { return met == all }) }
	case "Fn::Or":
		return func(a any) (any, error) { return e.count(a, func(met, _ int) bool { return met > 0 }) }
	case "Fn::Not":
		return func(a any) (any, error) { return e.count(a, func(met, _ int) bool { return met == 0 }) }
	case "Fn::Equals":
		return e.equals
	case "Fn::If":
		return e.choose
	case "Fn::GetAtt":
		return e.getAtt
	case "Fn::Sub":
		return e.sub
	case "Fn::Join":
		return e.join
	case "Fn::Split":
		return e.split
	case "Fn::Select":
		return e.pick
	case "Fn::ImportValue":
		return e.importValue
	case "Fn::GetAZs":
		return e.zones
	case "Fn::Cidr":
		return e.cidr
	}
	return nil
}

// text evaluates a value that is a string.
func (e *evaluation) text(v any) (string, error) {
	got, err := e.value(v)
	if err != nil {
		return "", err
	}
	s, ok := got.(string)
	if !ok {
		return "", errorf("Template format error: %v must be a string", got)
	}
	return s, nil
}

// list evaluates a value that is a list of strings.
func (e *evaluation) list(v any) ([]string, error) {
	got, err := e.value(v)
	if err != nil {
		return nil, err
	}
	entries, ok := got.([]any)
	if !ok {
		return nil, errorf("Template format error: %v must be a list", got)
	}
	out := make([]string, len(entries))
	for i, entry := range entries {
		if out[i], ok = entry.(string); !ok {
			return nil, errorf("Template format error: %v must be a string", entry)
		}
	}
	return out, nil
}

// arguments returns the arguments of a function that has a number of them.
func arguments(function string, a any, count int) ([]any, error) {
	out, _ := a.([]any)
	if len(out) != count {
		return nil, errorf("Template error: every %s object requires a list of %d arguments", function, count)
	}
	return out, nil
}

// count evaluates conditions. It calls decide with the number of those that hold, and of
// all.
func (e *evaluation) count(a any, decide func(met, all int) bool) (any, error) {
	conditions, _ := a.([]any)
	met := 0
	for _, c := range conditions {
		holds, err := e.truth(c)
		if err != nil {
			return nil, err
		}
		if holds {
			met++
		}
	}
	return decide(met, len(conditions)), nil
}

func (e *evaluation) equals(a any) (any, error) {
	args, err := arguments("Fn::Equals", a, 2)
	if err != nil {
		return nil, err
	}
	left, err := e.text(args[0])
	if err != nil {
		return nil, err
	}
	right, err := e.text(args[1])
	return left == right, err
}

// choose evaluates the chosen value only.
func (e *evaluation) choose(a any) (any, error) {
	args, err := arguments("Fn::If", a, 3)
	if err != nil {
		return nil, err
	}
	holds, err := e.holds(text(args[0]))
	if err != nil {
		return nil, err
	}
	if holds {
		return e.value(args[1])
	}
	return e.value(args[2])
}

func (e *evaluation) getAtt(a any) (any, error) {
	args, err := arguments("Fn::GetAtt", a, 2)
	if err != nil {
		return nil, err
	}
	return e.attribute(text(args[0]), text(args[1]))
}

func (e *evaluation) attribute(id, name string) (string, error) {
	r, err := e.find(id)
	if err != nil {
		return "", err
	}
	v, ok := r.Attributes[name]
	if !ok {
		return "", errorf("Template error: resource %s does not support attribute type %s in Fn::GetAtt", id, name)
	}
	return v, nil
}

var placeholder = regexp.MustCompile(`\$\{([^}]*)\}`)

// sub replaces placeholders of a text, or of the first of two arguments, whose second has
// values of its own.
func (e *evaluation) sub(a any) (any, error) {
	own := map[string]any{}
	if _, ok := a.([]any); ok {
		args, err := arguments("Fn::Sub", a, 2)
		if err != nil {
			return nil, err
		}
		a, own = args[0], object(args[1])
	}
	var failed error
	out := placeholder.ReplaceAllStringFunc(text(a), func(m string) string {
		v, err := e.placeholder(m[2:len(m)-1], own)
		if err != nil && failed == nil {
			failed = err
		}
		return v
	})
	return out, failed
}

// placeholder returns the value of ${NAME}, ${ID.ATTRIBUTE} or ${!LITERAL}.
func (e *evaluation) placeholder(name string, own map[string]any) (string, error) {
	if literal, ok := strings.CutPrefix(name, "!"); ok {
		return "${" + literal + "}", nil
	}
	if v, ok := own[name]; ok {
		return e.text(v)
	}
	if id, attribute, ok := strings.Cut(name, "."); ok {
		return e.attribute(id, attribute)
	}
	return e.text(call{"Ref", name})
}

func (e *evaluation) join(a any) (any, error) {
	args, err := arguments("Fn::Join", a, 2)
	if err != nil {
		return nil, err
	}
	entries, err := e.list(args[1])
	return strings.Join(entries, text(args[0])), err
}

func (e *evaluation) split(a any) (any, error) {
	args, err := arguments("Fn::Split", a, 2)
	if err != nil {
		return nil, err
	}
	whole, err := e.text(args[1])
	var out []any
	for part := range strings.SplitSeq(whole, text(args[0])) {
		out = append(out, part)
	}
	return out, err
}

func (e *evaluation) pick(a any) (any, error) {
	args, err := arguments("Fn::Select", a, 2)
	if err != nil {
		return nil, err
	}
	entries, err := e.list(args[1])
	if err != nil {
		return nil, err
	}
	index, err := e.text(args[0])
	if err != nil {
		return nil, err
	}
	if i, err := strconv.Atoi(index); err == nil && i >= 0 && i < len(entries) {
		return entries[i], nil
	}
	return nil, errorf("Template error: Fn::Select cannot select nonexistent value at index %s", index)
}

func (e *evaluation) importValue(a any) (any, error) {
	name, err := e.text(a)
	if err != nil {
		return nil, err
	}
	v, ok := e.Export(name)
	if !ok {
		return nil, ErrNoExport(name)
	}
	return v, nil
}

// zones returns three zones of a region.
func (e *evaluation) zones(a any) (any, error) {
	region, err := e.text(a)
	if region == "" {
		region = e.Region
	}
	return []any{region + "a", region + "b", region + "c"}, err
}

// cidr returns blocks of a network of IPv4: Fn::Cidr in the Template Reference.
func (e *evaluation) cidr(a any) (any, error) {
	args, err := e.list(a)
	if err != nil {
		return nil, err
	}
	if len(args) != 3 {
		return nil, errorf("Template error: every Fn::Cidr object requires a list of 3 arguments")
	}
	network, err := netip.ParsePrefix(args[0])
	count, err2 := strconv.Atoi(args[1])
	bits, err3 := strconv.Atoi(args[2])
	if err != nil || err2 != nil || err3 != nil || !network.Addr().Is4() || bits < 1 || bits > 32-network.Bits() || count > 1<<(32-network.Bits()-bits) {
		return nil, errorf("Template error: Fn::Cidr: %v cannot be divided", args)
	}
	first := network.Masked().Addr().As4()
	var out []any
	for i := range count {
		block := binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(first[:])+uint32(i)<<bits)
		address, _ := netip.AddrFromSlice(block)
		out = append(out, netip.PrefixFrom(address, 32-bits).String())
	}
	return out, nil
}
