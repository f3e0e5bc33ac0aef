package test

import (
	"net/http/httptest"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/rogpeppe/go-internal/testscript"
)

type serviceKey struct{}

// s3 starts an S3 service with the bucket files and sets $S3, or with "stop"
// ends it.
func s3(ts *testscript.TestScript, neg bool, args []string) {
	service := ts.Value(serviceKey{}).(*httptest.Server)
	switch {
	case neg || len(args) > 1 || len(args) == 1 && args[0] != "stop":
		ts.Fatalf("usage: s3 [stop]")
	case len(args) == 1:
		service.CloseClientConnections()
		service.Close()
		return
	}
	kept := s3mem.New()
	ts.Check(kept.CreateBucket("files"))
	service.Config.Handler = gofakes3.New(kept).Server()
	service.Start()
	ts.Setenv("S3", service.URL)
	ts.Defer(service.Close)
}
