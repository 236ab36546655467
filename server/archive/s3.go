package archive

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// bucket is a target in an S3-compatible store. The store's own promise is that an object is
// whole and durable when it has answered.
type bucket struct {
	client *minio.Client
	name   string
	prefix string // ends with a slash, or empty
}

var _ Target = (*bucket)(nil)

func openS3(u *url.URL, env func(string) string) (*bucket, error) {
	q := u.Query()
	host, secure := "s3.amazonaws.com", true
	if e := q.Get("endpoint"); e != "" {
		at, err := url.Parse(e)
		if err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" {
			return nil, fmt.Errorf("endpoint %q: want https://host:port", e)
		}
		host, secure = at.Host, at.Scheme == "https"
	}
	if u.Host == "" {
		return nil, errors.New("no bucket is named")
	}
	client, err := minio.New(host, &minio.Options{Creds: keysOf(env), Secure: secure, Region: q.Get("region")})
	if err != nil {
		return nil, err
	}
	b := &bucket{client: client, name: u.Host, prefix: strings.Trim(u.Path, "/")}
	if b.prefix != "" {
		b.prefix += "/"
	}
	return b, nil
}

func keysOf(env func(string) string) *credentials.Credentials {
	if id := env("AWS_ACCESS_KEY_ID"); id != "" {
		return credentials.NewStaticV4(id, env("AWS_SECRET_ACCESS_KEY"), env("AWS_SESSION_TOKEN"))
	}
	return credentials.NewFileAWSCredentials(env("AWS_SHARED_CREDENTIALS_FILE"), env("AWS_PROFILE"))
}

// String implements Target.
func (b *bucket) String() string {
	return fmt.Sprintf("s3://%s/%s at %s", b.name, b.prefix, b.client.EndpointURL().Host)
}

// Put implements Target.
func (b *bucket) Put(ctx context.Context, name string, data []byte) error {
	_, err := b.client.PutObject(ctx, b.name, b.prefix+name, bytes.NewReader(data), int64(len(data)),
		minio.PutObjectOptions{ContentType: "application/octet-stream", DisableMultipart: true})
	return err
}

// Get implements Target.
func (b *bucket) Get(ctx context.Context, name string) ([]byte, error) {
	o, err := b.client.GetObject(ctx, b.name, b.prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return nil, err
	}
	data, err := readAll(o)
	if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
		err = fmt.Errorf("get %s: %w", name, ErrNoObject)
	}
	return data, errors.Join(err, o.Close())
}

// List implements Target.
func (b *bucket) List(ctx context.Context, prefix string) ([]Object, error) {
	ctx, cancel := context.WithCancel(ctx) // ends the listing when we stop reading it
	defer cancel()
	var out []Object
	for o := range b.client.ListObjects(ctx, b.name, minio.ListObjectsOptions{Prefix: b.prefix + prefix, Recursive: true}) {
		if o.Err != nil {
			return nil, o.Err
		}
		if name := strings.TrimPrefix(o.Key, b.prefix); goodName(name) {
			out = append(out, Object{Name: name, Size: o.Size})
		}
	}
	slices.SortFunc(out, func(x, y Object) int { return cmp.Compare(x.Name, y.Name) })
	return out, nil
}

// Delete implements Target.
func (b *bucket) Delete(ctx context.Context, name string) error {
	return b.client.RemoveObject(ctx, b.name, b.prefix+name, minio.RemoveObjectOptions{})
}
