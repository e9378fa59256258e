package testdb

import (
	"fmt"
	"os"
	"testing"
)

// Missing ends a test because a service is not there. With CI=true that is a failure. Elsewhere the test is skipped, and
// a line is added to the file that URUTU_TEST_SKIPS names, which the test command counts and prints.
func Missing(t testing.TB, service string, reason error) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing, which is a failure with CI=true: %v", service, reason)
	}
	if path := os.Getenv("URUTU_TEST_SKIPS"); path != "" {
		if err := appendLine(path, fmt.Sprintf("%s is missing: %s", service, t.Name())); err != nil {
			t.Fatalf("count the skip: %v", err)
		}
	}
	t.Skipf("SKIPPED: %s is missing: %v", service, reason)
}

// appendLine adds a line in one write, so that several test processes can share the file.
func appendLine(path, line string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(line + "\n"); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
