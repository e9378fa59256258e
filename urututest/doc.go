// Package urututest gives each test a database of its own and a unit of work to run.
//
// # Overview
//
// One line is a database with tables that no other test sees, gone when the test ends:
//
//	func TestSignUp(t *testing.T) {
//		t.Parallel()
//		db := urututest.SQLite(t, (*User)(nil), (*Order)(nil))
//		urututest.Do(t, db, func(ctx context.Context) error {
//			return signUp(ctx, "ann@example.com")
//		})
//	}
//
// [Postgres] does the same on a real server; [Each] runs a test on every database that urutu supports; [Open] takes a
// [Config] for everything else. [URL] is for code that opens its connections itself.
//
// # Lifecycle
//
// An SQLite database is a file in the test's directory. A PostgreSQL database is cloned from a template that is made once
// in a test process for each set of entities, which takes a few hundredths of a second. It is made on the server that the
// environment variable URUTU_TEST_POSTGRES names, else on 127.0.0.1:5432 as the role postgres; a role that may create
// databases is enough. The connections are closed, and the database is dropped, when the test ends; what a killed process
// leaves behind is dropped by the next one.
//
// # Errors
//
// Whatever goes wrong ends the test. Where URUTU_TEST_POSTGRES is not set and no server answers, the test is skipped;
// with CI=true in the environment that is a failure. A server that URUTU_TEST_POSTGRES names must answer.
//
// # Concurrency
//
// Everything is safe for tests that run in parallel, and for several test processes at once.
package urututest
