// Package awsname holds the grammar of AWS's names, as AWS's own references give it,
// for the packages that put such a name into a host, a path, an ARN or a file. It is
// pure and calls nothing.
package awsname

import (
	"fmt"
	"regexp"
)

// Partition is a group of regions with domains and accounts of its own.
type Partition struct {
	// ID is the partition in an ARN, such as aws-cn.
	ID string
	// DNSSuffix ends the host names of its services, such as amazonaws.com.cn.
	DNSSuffix string
	// RegistrySuffix ends ECR's dual-stack host names; empty where AWS documents none.
	RegistrySuffix string
	// FIPS reports whether ECR has FIPS endpoints there.
	FIPS bool

	region *regexp.Regexp
}

// partitions are those of the AWS SDK for Go v2 with their patterns of regions and
// their DNS suffixes (internal/endpoints/awsrulesfn/partitions.json of
// github.com/aws/aws-sdk-go-v2 v1.47.7), where \w is written as what regions have.
// Dual-stack hosts and FIPS: "Making requests to Amazon ECR registries" in the ECR
// user guide and "Amazon ECR endpoints and quotas" in the AWS General Reference.
var partitions = []Partition{
	{ID: "aws", DNSSuffix: "amazonaws.com", RegistrySuffix: "on.aws", FIPS: true, region: regexp.MustCompile(`^(?:us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-[0-9]{1,2}$`)},
	{ID: "aws-cn", DNSSuffix: "amazonaws.com.cn", RegistrySuffix: "on.amazonwebservices.com.cn", region: regexp.MustCompile(`^cn-[a-z]+-[0-9]{1,2}$`)},
	{ID: "aws-us-gov", DNSSuffix: "amazonaws.com", RegistrySuffix: "on.aws", FIPS: true, region: regexp.MustCompile(`^us-gov-[a-z]+-[0-9]{1,2}$`)},
	{ID: "aws-eusc", DNSSuffix: "amazonaws.eu", region: regexp.MustCompile(`^eusc-de-[a-z]+-[0-9]{1,2}$`)},
	{ID: "aws-iso", DNSSuffix: "c2s.ic.gov", region: regexp.MustCompile(`^us-iso-[a-z]+-[0-9]{1,2}$`)},
	{ID: "aws-iso-b", DNSSuffix: "sc2s.sgov.gov", region: regexp.MustCompile(`^us-isob-[a-z]+-[0-9]{1,2}$`)},
	{ID: "aws-iso-e", DNSSuffix: "cloud.adc-e.uk", region: regexp.MustCompile(`^eu-isoe-[a-z]+-[0-9]{1,2}$`)},
	{ID: "aws-iso-f", DNSSuffix: "csp.hci.ic.gov", region: regexp.MustCompile(`^us-isof-[a-z]+-[0-9]{1,2}$`)},
}

// PartitionOf returns the partition whose pattern a region fits, and false if there is
// none. The region itself need not exist yet.
func PartitionOf(region string) (Partition, bool) {
	for _, p := range partitions {
		if p.region.MatchString(region) {
			return p, true
		}
	}
	return Partition{}, false
}

// CheckPartition returns an error unless id is the ID of a partition.
func CheckPartition(id string) error {
	for _, p := range partitions {
		if p.ID == id {
			return nil
		}
	}
	return fmt.Errorf("%q is not an AWS partition", id)
}

// CheckRegion returns an error unless region fits the pattern of a partition's regions.
// A region becomes part of a host name.
func CheckRegion(region string) error {
	if _, ok := PartitionOf(region); ok {
		return nil
	}
	return fmt.Errorf("%q is not an AWS region, such as eu-west-1", shorten(region))
}
