package exchange

import (
	"crypto/rand"
	"encoding/base64"
	"errors"

	"github.com/fhirfacade/fhirfacade/internal/tenant"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

func (x *Exchange) rules(t store.Tenant) notifications.Rules {
	_, env := tenant.Split(t)
	return notifications.Rules{Environment: notifications.Environment(env), Sandbox: x.o.Sandbox}
}

// secretHidden stands for a secret in answers.
const secretHidden = "********"

// shown is a destination as answers show it.
func shown(d notifications.Destination) notifications.Destination {
	if d.Secret != "" {
		d.Secret = secretHidden
	}
	if d.VerificationToken != "" {
		d.VerificationToken = secretHidden
	}
	if d.HL7v2 != nil && d.HL7v2.PrivateKey != "" {
		h := *d.HL7v2
		h.PrivateKey = secretHidden
		d.HL7v2 = &h
	}
	return d
}

func (x *Exchange) listDestinations(r *adminRequest) (any, error) {
	all, err := x.o.Registry.Destinations(r.Request.Context(), r.tenant)
	for i := range all {
		all[i] = shown(all[i])
	}
	return all, err
}

func (x *Exchange) getDestination(r *adminRequest) (any, error) {
	d, err := x.o.Registry.Destination(r.Request.Context(), r.tenant, r.Param("id"))
	return shown(d), err
}

// putDestination stores a destination and asks its endpoint for the challenge
// at once. One that does not answer is stored, unverified, and the answer
// says so.
func (x *Exchange) putDestination(r *adminRequest) (any, error) {
	var d notifications.Destination
	if err := r.bind(&d); err != nil {
		return nil, err
	}
	ctx := r.Request.Context()
	if id := r.Param("id"); id != "" {
		old, err := x.o.Registry.Destination(ctx, r.tenant, id)
		if err != nil {
			return nil, err
		}
		if d.Secret == secretHidden {
			d.Secret = old.Secret
		}
		if d.VerificationToken == secretHidden {
			d.VerificationToken = old.VerificationToken
		}
		if d.HL7v2 != nil && d.HL7v2.PrivateKey == secretHidden && old.HL7v2 != nil {
			d.HL7v2.PrivateKey = old.HL7v2.PrivateKey
		}
		d.ID = id
	} else if d.ID == "" {
		d.ID = x.o.NewID()
	}
	d.Verified = false
	if err := d.Validate(x.rules(r.tenant)); err != nil {
		return nil, err
	}
	if err := x.o.Registry.PutDestination(ctx, r.tenant, d); err != nil {
		return nil, err
	}
	var failed *notifications.Failure
	v, err := x.verify(r, d)
	if errors.As(err, &failed) {
		return struct {
			notifications.Destination
			Verification string `json:"verification"`
		}{shown(d), failed.Reason + "; POST to destinations/" + d.ID + "/verify when it is ready"}, nil
	}
	return v, err
}

func (x *Exchange) verifyDestination(r *adminRequest) (any, error) {
	d, err := x.o.Registry.Destination(r.Request.Context(), r.tenant, r.Param("id"))
	if err != nil {
		return nil, err
	}
	return x.verify(r, d)
}

func (x *Exchange) verify(r *adminRequest, d notifications.Destination) (any, error) {
	ctx := r.Request.Context()
	if d.HL7v2 != nil {
		// HL7 v2 has no challenge: that it can be reached is all there is to see.
		if err := x.o.Carrier.Reach(ctx, d); err != nil {
			return nil, err
		}
		d.Verified = true
		return shown(d), x.o.Registry.PutDestination(ctx, r.tenant, d)
	}
	challenge := make([]byte, 18)
	if _, err := rand.Read(challenge); err != nil {
		return nil, err
	}
	if err := x.o.Sender.Verify(ctx, d, base64.RawURLEncoding.EncodeToString(challenge)); err != nil {
		return nil, err
	}
	d.Verified = true
	return shown(d), x.o.Registry.PutDestination(ctx, r.tenant, d)
}

func (x *Exchange) deleteDestination(r *adminRequest) (any, error) {
	return nil, x.o.Registry.DeleteDestination(r.Request.Context(), r.tenant, r.Param("id"))
}
