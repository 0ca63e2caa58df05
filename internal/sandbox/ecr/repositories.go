package ecr

import (
	"cmp"
	"maps"
	"slices"

	"slipway/internal/sandbox/awsapi"
)

type repositoryOut struct {
	RepositoryArn              string                  `json:"repositoryArn"`
	RegistryID                 string                  `json:"registryId"`
	RepositoryName             string                  `json:"repositoryName"`
	RepositoryURI              string                  `json:"repositoryUri"`
	CreatedAt                  *awsapi.Epoch           `json:"createdAt"`
	ImageTagMutability         string                  `json:"imageTagMutability"`
	Exclusions                 []exclusionFilter       `json:"imageTagMutabilityExclusionFilters,omitempty"`
	ImageScanningConfiguration scanningConfiguration   `json:"imageScanningConfiguration"`
	EncryptionConfiguration    encryptionConfiguration `json:"encryptionConfiguration"`
}

type scanningConfiguration struct {
	ScanOnPush bool `json:"scanOnPush"`
}

type encryptionConfiguration struct {
	EncryptionType string `json:"encryptionType"`
	KmsKey         string `json:"kmsKey,omitempty"`
}

func (g *Registry) describe(r *repository) repositoryOut {
	return repositoryOut{
		RepositoryArn:              g.arn(r.name),
		RegistryID:                 g.Account,
		RepositoryName:             r.name,
		RepositoryURI:              g.host + "/" + r.name,
		CreatedAt:                  awsapi.Stamp(r.createdAt),
		ImageTagMutability:         r.mutability.Setting,
		Exclusions:                 r.mutability.Exclusions,
		ImageScanningConfiguration: scanningConfiguration{r.scanOnPush},
		EncryptionConfiguration:    r.encryption,
	}
}

type describeRepositoriesIn struct {
	awsapi.Paging
	RegistryID      string   `json:"registryId"`
	RepositoryNames []string `json:"repositoryNames"`
}

type describeRepositoriesOut struct {
	Repositories []repositoryOut `json:"repositories"`
	NextToken    string          `json:"nextToken,omitempty"`
}

func (s *Registries) describeRepositories(c awsapi.Call, in describeRepositoriesIn) (describeRepositoriesOut, error) {
	out := describeRepositoriesOut{Repositories: []repositoryOut{}}
	g, err := s.registry(c, in.RegistryID)
	if err != nil {
		return out, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	names := in.RepositoryNames
	if names == nil {
		all := slices.Sorted(maps.Keys(g.repositories))
		names, out.NextToken, err = awsapi.Page(in.Paging, 1000, all, func(n string) string { return n })
	} else {
		err = checkNamed(in)
	}
	if err != nil {
		return out, err
	}
	for _, name := range names {
		r, err := g.repository(name)
		if err != nil {
			return describeRepositoriesOut{}, err
		}
		out.Repositories = append(out.Repositories, g.describe(r))
	}
	return out, nil
}

func checkNamed(in describeRepositoriesIn) error {
	if len(in.RepositoryNames) < 1 || len(in.RepositoryNames) > 100 {
		return awsapi.InvalidParameter("repositoryNames", "must have length between 1 and 100")
	}
	if in.MaxResults != nil || in.NextToken != "" {
		return awsapi.InvalidParameter("maxResults", "must be absent when repositoryNames are given")
	}
	for _, name := range in.RepositoryNames {
		if err := checkRepositoryName(name); err != nil {
			return err
		}
	}
	return nil
}

type createRepositoryIn struct {
	target
	Tags                       []resourceTag            `json:"tags"`
	ImageTagMutability         string                   `json:"imageTagMutability"`
	Exclusions                 []exclusionFilter        `json:"imageTagMutabilityExclusionFilters"`
	ImageScanningConfiguration scanningConfiguration    `json:"imageScanningConfiguration"`
	EncryptionConfiguration    *encryptionConfiguration `json:"encryptionConfiguration"`
}

type oneRepositoryOut struct {
	Repository repositoryOut `json:"repository"`
}

func (s *Registries) createRepository(c awsapi.Call, in createRepositoryIn) (out oneRepositoryOut, err error) {
	r := &repository{
		name:         in.RepositoryName,
		scanOnPush:   in.ImageScanningConfiguration.ScanOnPush,
		resourceTags: map[string]string{},
		images:       map[string]*image{},
		tags:         map[string]string{},
	}
	if err := checkRepositoryName(in.RepositoryName); err != nil {
		return out, err
	}
	r.mutability, err = newTagMutability(cmp.Or(in.ImageTagMutability, "MUTABLE"), in.Exclusions)
	if err != nil {
		return out, err
	}
	if err := setTags(r.resourceTags, in.Tags); err != nil {
		return out, err
	}
	g, err := s.registry(c, in.RegistryID)
	if err != nil {
		return out, err
	}
	if r.encryption, err = g.encryption(in.EncryptionConfiguration); err != nil {
		return out, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.repositories[r.name] != nil {
		return out, awsapi.Errorf("RepositoryAlreadyExistsException",
			"The repository with name '%s' already exists in the registry with id '%s'", r.name, g.Account)
	}
	r.createdAt = g.clock.Now()
	g.repositories[r.name] = r
	return oneRepositoryOut{g.describe(r)}, nil
}

func (g *Registry) encryption(in *encryptionConfiguration) (encryptionConfiguration, error) {
	if in == nil {
		return encryptionConfiguration{EncryptionType: "AES256"}, nil
	}
	switch in.EncryptionType {
	case "AES256":
		if in.KmsKey != "" {
			return *in, awsapi.InvalidParameter("encryptionConfiguration.kmsKey",
				"must be absent with encryption type AES256")
		}
	case "KMS", "KMS_DSSE":
		in.KmsKey = cmp.Or(in.KmsKey, "arn:"+awsapi.Partition(g.Region)+":kms:"+g.Region+":"+g.Account+":alias/aws/ecr")
	default:
		return *in, awsapi.InvalidParameter("encryptionConfiguration.encryptionType",
			"must satisfy enum value set: [AES256, KMS, KMS_DSSE]")
	}
	return *in, nil
}

type deleteRepositoryIn struct {
	target
	Force bool `json:"force"`
}

func (s *Registries) deleteRepository(c awsapi.Call, in deleteRepositoryIn) (out oneRepositoryOut, err error) {
	err = s.locked(c, in.target, func(g *Registry, r *repository) error {
		if len(r.images) > 0 && !in.Force {
			return awsapi.Errorf("RepositoryNotEmptyException",
				"The repository with name '%s' in registry with id '%s' cannot be deleted because it still contains images",
				r.name, g.Account)
		}
		out.Repository = g.describe(r)
		delete(g.repositories, r.name)
		return g.blobs.forget(r.name)
	})
	return out, err
}

type putImageTagMutabilityIn struct {
	target
	ImageTagMutability string            `json:"imageTagMutability"`
	Exclusions         []exclusionFilter `json:"imageTagMutabilityExclusionFilters"`
}

type putImageTagMutabilityOut struct {
	target
	ImageTagMutability string            `json:"imageTagMutability"`
	Exclusions         []exclusionFilter `json:"imageTagMutabilityExclusionFilters,omitempty"`
}

func (s *Registries) putImageTagMutability(c awsapi.Call, in putImageTagMutabilityIn) (out putImageTagMutabilityOut, err error) {
	m, err := newTagMutability(in.ImageTagMutability, in.Exclusions)
	if err != nil {
		return out, err
	}
	err = s.locked(c, in.target, func(g *Registry, r *repository) error {
		r.mutability = m
		out = putImageTagMutabilityOut{target{g.Account, r.name}, m.Setting, m.Exclusions}
		return nil
	})
	return out, err
}

type accountSetting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// accountSettings has the known settings with their defaults.
var accountSettings = map[string]string{
	"BLOB_MOUNTING": "DISABLED",
}

func (s *Registries) getAccountSetting(c awsapi.Call, in accountSetting) (accountSetting, error) {
	value, known := accountSettings[in.Name]
	if !known {
		return in, awsapi.InvalidParameter("name", "must be a known account setting")
	}
	g, err := s.registry(c, "")
	if err != nil {
		return in, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return accountSetting{in.Name, cmp.Or(g.settings[in.Name], value)}, nil
}

func (s *Registries) putAccountSetting(c awsapi.Call, in accountSetting) (accountSetting, error) {
	if _, known := accountSettings[in.Name]; !known {
		return in, awsapi.InvalidParameter("name", "must be a known account setting")
	}
	g, err := s.registry(c, "")
	if err != nil {
		return in, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settings[in.Name] = in.Value
	return in, nil
}
