package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/fhirfacade/fhirfacade/store"
)

// wrap gives a driver's error the identity that the contract asks for. The
// driver's text is not kept: servers quote keys and ids in theirs.
func wrap(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case identified(err):
		return err
	case ended(ctx) != nil:
		return fmt.Errorf("store/mongo: %w", ended(ctx))
	case errors.Is(err, mongo.ErrClientDisconnected):
		return store.ErrClosed
	case errors.Is(err, errDamaged):
		return err
	}
	if code, ok := serverCode(err); ok {
		switch {
		case code == 50 || code == 262: // MaxTimeMSExpired, ExceededTimeLimit
			return fmt.Errorf("store/mongo: %w", store.ErrTimeout)
		case code == 10334 || code == 17419 || code == 17420: // BSONObjectTooLarge
			return fmt.Errorf("store/mongo: %w: code %d", store.ErrTooLarge, code)
		case code == 13 || code == 18:
			return errors.New("store/mongo: the server refuses the credentials")
		case transient(err):
			return fmt.Errorf("store/mongo: %w: server's code %d", store.ErrUnavailable, code)
		}
		return fmt.Errorf("store/mongo: the server answered with error code %d", code)
	}
	// What is not a server's answer is a connection that broke, timed out or
	// could not be made.
	return fmt.Errorf("store/mongo: %w: no answer from the server", store.ErrUnavailable)
}

// wrapQuery is wrap for what has a time budget: the context's.
func wrapQuery(ctx context.Context, err error) error {
	if err != nil && errors.Is(ended(ctx), context.DeadlineExceeded) {
		return fmt.Errorf("store/mongo: %w: %w", store.ErrTimeout, context.DeadlineExceeded)
	}
	return wrap(ctx, err)
}

// ended is the context's error. The driver gives up a moment before the
// deadline, when it sees that no answer can come in time.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < 10*time.Millisecond {
		return context.DeadlineExceeded
	}
	return nil
}

func identified(err error) bool {
	for _, known := range []error{store.ErrNotFound, store.ErrConflict, store.ErrGuard, store.ErrTooLarge, store.ErrInvalid, store.ErrUnavailable, store.ErrTimeout, store.ErrClosed} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// serverCode is the code of an error that a server answered with.
func serverCode(err error) (int, bool) {
	var command mongo.CommandError
	if errors.As(err, &command) {
		return int(command.Code), command.Code != 0
	}
	var write mongo.WriteException
	if errors.As(err, &write) {
		if len(write.WriteErrors) > 0 {
			return write.WriteErrors[0].Code, true
		}
		if write.WriteConcernError != nil {
			return write.WriteConcernError.Code, true
		}
	}
	var bulk mongo.BulkWriteException
	if errors.As(err, &bulk) {
		if len(bulk.WriteErrors) > 0 {
			return bulk.WriteErrors[0].Code, true
		}
		if bulk.WriteConcernError != nil {
			return bulk.WriteConcernError.Code, true
		}
	}
	return 0, false
}

// transient reports a server's answer that another try may not get: it is
// shutting down, is not or no longer the primary, could not replicate in
// time, or is overloaded.
func transient(err error) bool {
	var labeled mongo.LabeledError
	if errors.As(err, &labeled) && (labeled.HasErrorLabel("RetryableWriteError") || labeled.HasErrorLabel("TransientTransactionError") || labeled.HasErrorLabel("NetworkError")) {
		return true
	}
	if writeConcernFailed(err) {
		return true
	}
	code, _ := serverCode(err)
	switch code {
	case 6, 7, 64, 89, 91, 112, 134, 189, 202, 462, 9001, 10058, 10107, 11600, 11602, 13435, 13436, 24:
		return true
	}
	return false
}

// writeConcernFailed reports a write that happened and is not known to be
// durable.
func writeConcernFailed(err error) bool {
	var write mongo.WriteException
	if errors.As(err, &write) && len(write.WriteErrors) == 0 && write.WriteConcernError != nil {
		return true
	}
	var bulk mongo.BulkWriteException
	return errors.As(err, &bulk) && len(bulk.WriteErrors) == 0 && bulk.WriteConcernError != nil
}

// refused reports an error that proves that a write did not happen.
func refused(err error) bool {
	_, answered := serverCode(err)
	return answered && !transient(err)
}
