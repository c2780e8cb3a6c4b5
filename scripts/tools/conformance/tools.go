//go:build tools

// Package conformance pins what the test program of Kubernetes is compiled from: it is a test, which no `tool` line can name.
package conformance

import _ "k8s.io/kubernetes/test/e2e"
