// Package ssm is a stand-in for the Parameter Store of AWS Systems Manager.
package ssm

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"slipway/internal/sandbox/awsapi"
)

// Service returns the API of the Parameter Store. Names of fields, limits and
// errors are those of the API reference of Systems Manager, version 2014-11-06.
func (p *Parameters) Service() awsapi.Service {
	return awsapi.Service{
		Name:      "ssm",
		Prefix:    "AmazonSSM",
		Reference: reference,
		Actions: map[string]awsapi.Action{
			"PutParameter":  awsapi.NewAction(p.put),
			"GetParameters": awsapi.NewAction(p.get),
		},
	}
}

// Parameters are the parameters of an account in all regions.
type Parameters struct {
	clock   *awsapi.Clock
	account string

	mu   sync.Mutex
	held map[key]*parameter
}

type key struct{ region, name string }

type parameter struct {
	ARN, DataType, Name, Type, Value string
	LastModifiedDate                 *awsapi.Epoch
	Version                          int64
}

// New returns an account without parameters.
func New(account string, c *awsapi.Clock) *Parameters {
	return &Parameters{clock: c, account: account, held: map[key]*parameter{}}
}

type putIn struct {
	Name, Type, Value string
	Overwrite         bool
}

type putOut struct {
	Version int64
	Tier    string
}

func (p *Parameters) put(c awsapi.Call, in putIn) (out putOut, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := key{c.Region, in.Name}
	old := p.held[k]
	switch {
	case in.Name == "" || strings.HasPrefix(strings.ToLower(strings.TrimPrefix(in.Name, "/")), "aws"):
		return out, awsapi.Errorf("ValidationException", "Parameter name: %q can't be empty or be prefixed with \"aws\"", in.Name)
	case in.Value == "" || len(in.Value) > 4096:
		return out, awsapi.NewError("ValidationException", "Standard tier parameters support a maximum parameter value of 4096 characters.")
	case old != nil && !in.Overwrite:
		return out, awsapi.NewError("ParameterAlreadyExists",
			"The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	case old == nil && !slices.Contains([]string{"String", "StringList", "SecureString"}, in.Type):
		return out, awsapi.NewError("ValidationException", "A parameter type is required when you create a parameter.")
	case old == nil:
		old = &parameter{Name: in.Name, Type: in.Type, DataType: "text", ARN: p.arn(c.Region, in.Name)}
		p.held[k] = old
	}
	old.Value, old.Version, old.LastModifiedDate = in.Value, old.Version+1, awsapi.Stamp(p.clock.Now().Truncate(time.Millisecond))
	return putOut{old.Version, "Standard"}, nil
}

func (p *Parameters) arn(region, name string) string {
	return fmt.Sprintf("arn:%s:ssm:%s:%s:parameter/%s", awsapi.Partition(region), region, p.account, strings.TrimPrefix(name, "/"))
}

type getIn struct {
	Names          []string
	WithDecryption bool
}

type getOut struct {
	Parameters        []parameter
	InvalidParameters []string
}

// get finds parameters by their names or ARNs. A SecureString that is not
// decrypted has its ciphertext as the value.
func (p *Parameters) get(c awsapi.Call, in getIn) (out getOut, err error) {
	if n := len(in.Names); n < 1 || n > 10 {
		return out, awsapi.NewError("ValidationException",
			"1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have length less than or equal to 10")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	out = getOut{Parameters: []parameter{}, InvalidParameters: []string{}}
	for _, name := range in.Names {
		found := p.find(c.Region, name)
		if found == nil {
			out.InvalidParameters = append(out.InvalidParameters, name)
			continue
		}
		shown := *found
		if shown.Type == "SecureString" && !in.WithDecryption {
			shown.Value = "AQICAHh" + awsapi.HexID(24)
		}
		out.Parameters = append(out.Parameters, shown)
	}
	return out, nil
}

func (p *Parameters) find(region, name string) *parameter {
	if found := p.held[key{region, name}]; found != nil {
		return found
	}
	for k, found := range p.held {
		if k.region == region && found.ARN == name {
			return found
		}
	}
	return nil
}

// Value returns the value of a parameter in a region by its name or ARN; false if
// there is none.
func (p *Parameters) Value(region, name string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.find(region, name)
	if found == nil {
		return "", false
	}
	return found.Value, true
}

// reference returns the names of the parameters that a request names.
func reference(body []byte) string {
	var in struct {
		Name  string
		Names []string
	}
	_ = json.Unmarshal(body, &in) // the action complains about bad JSON
	if in.Name != "" {
		return in.Name
	}
	return strings.Join(in.Names, ",")
}
