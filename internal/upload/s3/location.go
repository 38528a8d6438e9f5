package s3

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// Location is where uploads are stored: in a bucket, and there only in keys
// below the prefix, which may be empty.
type Location struct{ Bucket, Prefix string }

func (l Location) String() string { return strings.TrimSuffix("s3://"+l.Bucket+"/"+l.Prefix, "/") }

// maxPrefix leaves room for the rest of a key, which may have 1024 bytes.
const maxPrefix = 512

// ParseLocation reads s3://BUCKET or s3://BUCKET/PREFIX.
func ParseLocation(text string) (Location, error) {
	rest, ok := strings.CutPrefix(text, "s3://")
	if !ok {
		return Location{}, errors.New("it does not begin with s3://")
	}
	bucket, prefix, _ := strings.Cut(rest, "/")
	if err := s3utils.CheckValidBucketNameStrict(bucket); err != nil {
		return Location{}, fmt.Errorf("%q is no name of a bucket: %w", bucket, err)
	}
	prefix = strings.TrimSuffix(prefix, "/")
	if prefix != "" && path.Clean("/"+prefix) != "/"+prefix {
		return Location{}, fmt.Errorf("the prefix %q has empty parts, or parts of dots", prefix)
	}
	if strings.ContainsAny(prefix, "?#\\") || len(prefix) > maxPrefix {
		return Location{}, fmt.Errorf("the prefix %q has a ?, # or \\, or more than %d bytes", prefix, maxPrefix)
	}
	return Location{bucket, prefix}, nil
}

// endpoint is where the store's API is.
type endpoint struct {
	host   string
	secure bool
	region string
}

// findEndpoint reads AWS_ENDPOINT_URL and the region, as other programs do.
func findEndpoint(getenv func(string) string) (endpoint, error) {
	e := endpoint{host: "s3.amazonaws.com", secure: true, region: first(getenv, "AWS_REGION", "AWS_DEFAULT_REGION")}
	text := first(getenv, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
	if text == "" {
		if e.region == "" {
			return endpoint{}, errors.New("AWS_REGION is missing, the region that the bucket is in; or set AWS_ENDPOINT_URL for a store that is not AWS")
		}
		return e, nil
	}
	u, err := url.Parse(text)
	// What is wrong is not shown, as it may hold a password.
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return endpoint{}, errors.New("AWS_ENDPOINT_URL takes the http or https URL of a host, such as https://storage.example.com:9000, without user, path or query")
	}
	if e.region == "" {
		e.region = "us-east-1" // what most other stores call theirs
	}
	e.host, e.secure = u.Host, u.Scheme == "https"
	return e, nil
}

// findCredentials returns the keys of the environment, or what the files of AWS's
// tools or the machine's role have.
func findCredentials(getenv func(string) string) (*credentials.Credentials, error) {
	const idName, secretName = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY" //nolint:gosec // names of variables
	id, secret := getenv(idName), getenv(secretName)
	switch {
	case id != "" && secret != "":
		return credentials.NewStaticV4(id, secret, getenv("AWS_SESSION_TOKEN")), nil
	case id != "":
		return nil, errors.New(secretName + " is missing, though " + idName + " is set")
	case secret != "":
		return nil, errors.New(idName + " is missing, though " + secretName + " is set")
	}
	client := &http.Client{Timeout: 5 * time.Second} // for those who ask where no role is
	providers := []credentials.Provider{&credentials.FileAWSCredentials{}}
	if getenv("AWS_EC2_METADATA_DISABLED") != "true" {
		providers = append(providers, &credentials.IAM{Client: client})
	}
	chain := credentials.NewChainCredentials(providers)
	found, err := chain.GetWithContext(&credentials.CredContext{Client: client})
	if err != nil {
		return nil, err
	}
	if found.AccessKeyID == "" || found.SecretAccessKey == "" {
		return nil, errors.New(idName + " and " + secretName + " are missing, and neither a credentials file of AWS's nor a role of this machine stands in for them")
	}
	return chain, nil
}

// first returns the first of the variables that is set.
func first(getenv func(string) string, names ...string) string {
	for _, name := range names {
		if value := getenv(name); value != "" {
			return value
		}
	}
	return ""
}
