// Package faultdriver wraps a database driver for tests, so that a test says where a connection breaks: before a script
// is sent, between its statements and its COMMIT, after the COMMIT and before its answer, or later, while nobody listens
// any more.
//
// # Overview
//
//	d := faultdriver.New(pgxdriver.New())
//	db := open(d)
//	d.Inject(func(s *driver.Script) faultdriver.Fault {
//		if s.End == driver.Commit {
//			return faultdriver.LoseAnswer
//		}
//		return nil
//	})
//
// A [Fault] takes the place of one script's run. It runs what the server would have run, on the real connection, and
// then says what a driver says whose line broke at that point. So what is in the database afterwards is real. It works
// with every driver whose connections lend their *sql.Conn.
//
// # Concurrency
//
// Everything is safe for concurrent use. A connection is used by one goroutine at a time, as any driver's.
package faultdriver
