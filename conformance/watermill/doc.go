// Package watermill runs Watermill's universal Pub/Sub suite (pubsub/tests of github.com/ThreeDotsLabs/watermill) through
// urutu's publish, queue and worker. It has nothing but tests.
//
// # Overview
//
// pubsub_test.go makes a Pub/Sub of a bus: a publisher whose call is one unit of work, and a subscriber of which every
// subscription is a worker of its own, as that of another process is. An ack is the commit of the message's unit, a nack
// an error of its handler. suite_test.go says what is run, with which of the suite's features.
//
// # Skips
//
// In the suite a test that is skipped passes, one level up. So every run is a process of its own whose report is read
// (run_test.go): what is skipped without being listed, with its reason, fails, and so does what is listed and was run.
package watermill
