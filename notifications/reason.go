package notifications

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
)

// reason words why there was no answer. The words are from a fixed list: what
// the transport's errors say may hold the URL, which may hold a secret, the
// address of our own name server, or what the endpoint sent.
func reason(err error) string {
	var (
		timeout  net.Error
		name     *net.DNSError
		verify   *tls.CertificateVerificationError
		host     x509.HostnameError
		unknown  x509.UnknownAuthorityError
		invalid  x509.CertificateInvalidError
		alert    tls.AlertError
		noRecord tls.RecordHeaderError
	)
	switch {
	case err == nil:
		return "the endpoint gave no answer"
	case errors.Is(err, ErrForbiddenAddress):
		return ErrForbiddenAddress.Error()
	case errors.As(err, &name):
		return "the name of the endpoint's host cannot be resolved"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "the endpoint did not answer in time"
	case errors.As(err, &host):
		return "the endpoint's TLS certificate is for another host"
	case errors.As(err, &unknown):
		return "the endpoint's TLS certificate is signed by an unknown authority"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the endpoint's TLS certificate has expired or is not valid yet"
	case errors.As(err, &verify), errors.As(err, &invalid):
		return "the endpoint's TLS certificate is not valid"
	case errors.As(err, &alert), errors.As(err, &noRecord), errors.Is(err, http.ErrSchemeMismatch):
		return "no TLS connection can be made to the endpoint"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the endpoint refuses the connection"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no way to the endpoint's network"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the endpoint closed the connection before it answered"
	}
	return "the endpoint cannot be reached, or its answer is no HTTP"
}

// ReasonOf words why there was no answer, for those that carry deliveries in
// other ways.
func ReasonOf(err error) string { return reason(err) }
