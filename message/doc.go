// Package message defines what a message is before anything is known of how it travels: its type with topic, kind and
// version, its key, its headers, and the envelope that is stored with its payload.
//
// # Overview
//
// A message is a struct with the method MessageType, on the value:
//
//	type OrderPlaced struct{ OrderID uuid.UUID; Total int64 }
//
//	func (OrderPlaced) MessageType() message.Type { return message.Type{Topic: "shop.order.placed"} }
//
//	// Optional: messages of one key are handled one at a time, in the order in which their units committed.
//	func (m OrderPlaced) MessageKey() string { return m.OrderID.String() }
//
// An event tells what happened, to every group that has subscribed to its topic. A task asks for something to be done,
// once, by whoever handles tasks of its topic. Package bus publishes and handles them. The payload is JSON, as
// encoding/json writes it.
//
// # Versions
//
// A type whose payload changed in a way that its older readers do not understand counts its version up. A reader parks
// what is newer than itself, so that nothing is misread, and decodes what is older with [Upgrader] where the type has it.
//
// # Errors
//
// [Type.Validate], [CheckKey] and [Headers.Validate] say what is wrong with a name, as *fault.Error of kind
// fault.Invalid. [Unseal] returns them for an envelope that nobody here has written.
//
// # Concurrency
//
// Everything in this package is a value or a function without state.
package message
