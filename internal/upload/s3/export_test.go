package s3

import "time"

// OpenImpatient opens a store that may be silent for less time than in earnest.
func OpenImpatient(options Options, patience time.Duration) (*Store, error) {
	return open(options, patience)
}
