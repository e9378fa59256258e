// Package wireproxy stands between a client and a PostgreSQL server in tests and benchmarks: it counts the round trips
// that really cross the wire, makes the way longer, and breaks it where a test says.
//
// # Overview
//
//	p := wireproxy.Start(t, "127.0.0.1:5432")
//	db := open(p.URL(serverURL))
//	before := p.Trips()
//	...
//	if n := p.Trips() - before; n != 1 { ... }
//
// A round trip is what a client sends until it has to wait, and the answer to it: a burst of many messages that is
// answered in many pieces is one. What a client sends without waiting for an answer, such as its farewell, is none, and
// neither is anything before the server's first ReadyForQuery: the handshake. The proxy reads the messages to know, so
// the line must not be encrypted.
//
// # Lifecycle
//
// [Start] closes the proxy with the test, [Proxy.Close] does it elsewhere. Both break the lines that are still open and
// wait until nothing of the proxy runs any more.
//
// # Concurrency
//
// Everything is safe for concurrent use. A trip is counted before its answer reaches the client, so that a client that
// has its answer sees it counted.
package wireproxy
