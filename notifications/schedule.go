package notifications

import "time"

// waits are the pauses between attempts (Redox: queue and retry): the first
// retry follows at once. The last one repeats until the delivery is
// acknowledged. There is no jitter: receivers know this schedule.
var waits = []time.Duration{
	0, 10 * time.Second, 10 * time.Second, 20 * time.Second, 30 * time.Second,
	50 * time.Second, 80 * time.Second, 120 * time.Second,
}

// retryAfter is the pause before the next attempt when failed attempts have
// failed. An answer's Retry-After is honoured when it asks for longer.
func retryAfter(failed int, asked time.Duration) time.Duration {
	return max(waits[min(failed-1, len(waits)-1)], asked)
}

// alertAfter is how many failed retries raise an alert, once.
const alertAfter = 3
