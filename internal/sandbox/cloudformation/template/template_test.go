package template_test

import (
	"reflect"
	"strings"
	"testing"

	"slipway/internal/sandbox/cloudformation/resource"
	"slipway/internal/sandbox/cloudformation/template"
)

// evaluate evaluates a template with the values of parameters.
func evaluate(text string, given map[string]string) (template.Result, error) {
	t, err := template.Parse(text)
	if err != nil {
		return template.Result{}, err
	}
	values, err := t.Values(given)
	if err != nil {
		return template.Result{}, err
	}
	return t.Evaluate(template.Scope{
		Stack: resource.Stack{Account: "000000000000", Region: "eu-west-1", Name: "shop"}, Parameters: values,
		Export: func(name string) (string, bool) { return "a,b", name == "network-Subnets" },
	})
}

// head has parameters, conditions and resources that the tests refer to.
const head = `
Parameters:
  Name: {Type: String, Default: web}
  Names: {Type: CommaDelimitedList, Default: "a, b"}
Conditions:
  IsWeb: !Equals [!Ref Name, web]
  IsOther: !Not [!Condition IsWeb]
  Both: !And [!Condition IsWeb, Condition: IsOther]
  Either: {"Fn::Or": [{Condition: IsWeb}, {Condition: IsOther}]}
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties: {TableName: !Ref Name}
  Other:
    Type: AWS::DynamoDB::Table
    Condition: IsOther
`

func TestFunctions(t *testing.T) {
	for text, want := range map[string]string{
		`!Ref Table`:                                              "web",
		`!Ref AWS::Region`:                                        "eu-west-1",
		`!GetAtt Table.Arn`:                                       "arn:aws:dynamodb:eu-west-1:000000000000:table/web",
		`{"Fn::GetAtt": [Table, Arn]}`:                            "arn:aws:dynamodb:eu-west-1:000000000000:table/web",
		`!Sub "${Name}-${Table.Arn}-${!Name}"`:                    "web-arn:aws:dynamodb:eu-west-1:000000000000:table/web-${Name}",
		`!Sub ["${Own}-${Name}", {Own: !Ref Table}]`:              "web-web",
		`!Join ["-", !Ref Names]`:                                 "a-b",
		`!Join ["-", [x, !If [Both, y, !Ref AWS::NoValue]]]`:      "x",
		`!If [Either, yes, !Ref Missing]`:                         "yes",
		`!If [IsOther, yes, no]`:                                  "no",
		`!Select [1, !Ref Names]`:                                 "b",
		`!Select [1, !Split [",", !ImportValue network-Subnets]]`: "b",
		`{"Fn::ImportValue": !Sub "${Network}-Subnets"}`:          "",
		`!Select [2, !GetAZs ""]`:                                 "eu-west-1c",
		`!Join [" ", !Cidr [10.0.0.0/16, 3, 12]]`:                 "10.0.0.0/20 10.0.16.0/20 10.0.32.0/20",
	} {
		got, err := evaluate(head+"Outputs: {Value: {Value: "+text+"}}", nil)
		if want == "" {
			if err == nil {
				t.Errorf("%s = %v, want an error", text, got.Outputs)
			}
			continue
		}
		if err != nil || len(got.Outputs) != 1 || got.Outputs[0].Value != want {
			t.Errorf("%s = %v, %v, want %s", text, got.Outputs, err, want)
		}
	}
}

// TestConditions: what has a condition that does not hold is left out.
func TestConditions(t *testing.T) {
	text := head + `Outputs: {A: {Condition: IsOther, Value: !GetAtt Other.Arn}, B: {Value: b, Export: {Name: !Sub "${AWS::StackName}-B"}}}`
	got, err := evaluate(text, nil)
	if err != nil || len(got.Resources) != 1 || !reflect.DeepEqual(got.Outputs, []template.Output{{Name: "B", Value: "b", Export: "shop-B"}}) {
		t.Errorf("Evaluate() = %+v, %v, want a table and B", got, err)
	}
	got, err = evaluate(text, map[string]string{"Name": "api"})
	if err != nil || len(got.Resources) != 2 || len(got.Outputs) != 2 {
		t.Errorf("Evaluate() with another name = %+v, %v, want two tables, A and B", got, err)
	}
}

// TestFaults: each fault has an error that names it.
func TestFaults(t *testing.T) {
	for text, want := range map[string]string{
		`Resources: {}`: "At least one Resources member",
		`Mappings: {}`:  "Invalid template property or properties [Mappings]",
		`a: [`:          "not well-formed",
		`- a`:           "unsupported structure",
		`&a [*a]`:       "YAML aliases are not allowed",
		head + `Outputs: {A: {Value: !FindInMap [a, b, c]}}`:                                                                        "the function Fn::FindInMap is not known",
		head + `Outputs: {A: {Value: !GetAtt Table.StreamArn}}`:                                                                     "resource Table does not support attribute type StreamArn in Fn::GetAtt",
		head + `Outputs: {A: {Value: !Ref Missing}}`:                                                                                "Unresolved resource dependencies [Missing]",
		head + `Outputs: {A: {Value: !Ref Other}}`:                                                                                  "Unresolved resource dependencies [Other]",
		head + `Outputs: {A: {Value: !If [Missing, a, b]}}`:                                                                         "Unresolved condition dependency Missing",
		head + `Outputs: {A: {Value: !ImportValue network-VpcId}}`:                                                                  "No export named network-VpcId found",
		head + `Outputs: {A: {Value: !Select [2, !Ref Names]}}`:                                                                     "cannot select nonexistent value at index 2",
		head + `Outputs: {A: {Value: !Ref Names}}`:                                                                                  "must be a string",
		head + `Outputs: {A: {Value: !Join [",", [[a]]]}}`:                                                                          "must be a string",
		head + `Outputs: {A: {Value: !Equals [a]}}`:                                                                                 "requires a list of 2 arguments",
		head + `Outputs: {A: {Value: !Select [0, !Cidr [10.0.0.0/30, 9, 1]]}}`:                                                      "cannot be divided",
		head + `Rules: {R: {Assertions: [{Assert: !Equals [!Ref Name, api], AssertDescription: Only api.}]}}`:                       "rule R: Only api.",
		`Resources: {A: {Type: "AWS::Foo::Bar"}}`:                                                                                   "Unrecognized resource types: [AWS::Foo::Bar]",
		`Resources: {A: {Type: "AWS::S3::Bucket", Properties: {B: !Ref B}}, B: {Type: "AWS::S3::Bucket", Properties: {A: !Ref A}}}`: "circular dependency between parts: [resource A, resource B]",
	} {
		if got, err := evaluate(text, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v, want %q", strings.TrimPrefix(text, head), got, err, want)
		}
	}
}

func TestParameters(t *testing.T) {
	const text = `
Parameters:
  Port: {Type: Number, MinValue: 1, MaxValue: 10}
  Zone: {Type: String, Default: a, AllowedValues: [a, b]}
  Name: {Type: String, Default: web, AllowedPattern: "[a-z]+", MinLength: 2, MaxLength: 4}
  Size: {Type: String, Default: "1", AllowedPattern: "\\d+", ConstraintDescription: a number}
Resources: {A: {Type: "AWS::S3::Bucket"}}`
	for _, x := range []struct {
		given map[string]string
		want  string
	}{
		{map[string]string{"Port": "5", "Name": "api"}, ""},
		{map[string]string{}, "Parameters: [Port] must have values"},
		{map[string]string{"Port": "5", "X": "1"}, "Parameters: [X] do not exist in the template"},
		{map[string]string{"Port": "http"}, "Parameter 'Port' must be a number"},
		{map[string]string{"Port": "0"}, "not less than 1"},
		{map[string]string{"Port": "11"}, "not greater than 10"},
		{map[string]string{"Port": "5", "Zone": "c"}, "Parameter 'Zone' must be one of AllowedValues"},
		{map[string]string{"Port": "5", "Name": "web1"}, "must match pattern [a-z]+"},
		{map[string]string{"Port": "5", "Name": "a"}, "at least 2 characters"},
		{map[string]string{"Port": "5", "Name": "abcde"}, "at most 4 characters"},
		{map[string]string{"Port": "5", "Size": "big"}, "Parameter 'Size' failed to satisfy constraint: a number"},
	} {
		_, err := evaluate(text, x.given)
		if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%v: %v, want %q", x.given, err, x.want)
		}
	}
	for property, want := range map[string]string{
		`Type: "AWS::EC2::VPC::Id"`: "Unrecognized parameter type: AWS::EC2::VPC::Id",
		`Type: String, Secret: yes`: "Invalid template parameter property 'Secret'",
		`Type: Number, MinValue: x`: "parameter A: MinValue",
	} {
		if _, err := template.Parse("Parameters: {A: {" + property + "}}\nResources: {A: {Type: \"AWS::S3::Bucket\"}}"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", property, err, want)
		}
	}
}

// FuzzEvaluate: no template makes the evaluation crash.
func FuzzEvaluate(f *testing.F) {
	f.Add(head + "Outputs: {A: {Value: !Join [\",\", !Cidr [10.0.0.0/16, 3, 12]]}}")
	f.Fuzz(func(_ *testing.T, text string) { _, _ = evaluate(text, nil) })
}
