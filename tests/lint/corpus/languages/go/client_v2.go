package imds

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

type Client struct {
	http  *http.Client
	token string
}

func New() *Client {
	return &Client{http: &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{Proxy: nil}}}
}

func (c *Client) do(req *http.Request) (string, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		return "", fmt.Errorf("imds: %s", resp.Status)
	}
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func (c *Client) Refresh(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://169.254.169.254/latest/api/token", nil)
	if err != nil {
		return err
	}
	req.Header.Set("X-aws-ec2-metadata-token-ttl-seconds", "21600")
	c.token, err = c.do(req)
	return err
}

func (c *Client) Get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("http://169.254.169.254/latest/meta-data/%s", path), nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("X-aws-ec2-metadata-token", c.token)
	return c.do(req)
}
