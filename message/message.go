package message

import (
	"fmt"
	"hash/fnv"
	"strings"
	"unicode/utf8"

	"github.com/urutu-go/urutu/fault"
)

// Message is what can be published: a struct that knows its type. The method is called on zero values too.
type Message interface {
	MessageType() Type
}

// Keyed is a message with a key. Of those with one key and one destination, at most one is in hand at any time, and they
// are handled in the order in which their units committed. An empty key is none.
type Keyed interface {
	MessageKey() string
}

// Upgrader is a message, as a pointer, that reads payloads of versions before its own. Without it they are decoded like
// those of its own version.
type Upgrader interface {
	UpgradeMessage(version int, payload []byte) error
}

// Kind says who gets a message.
type Kind uint8

// The kinds of messages.
const (
	// Event goes to every group that has subscribed to its topic, and nowhere if none has.
	Event Kind = iota
	// Task goes to the one group that has the topic's name, and is kept for it also before it first appears.
	Task
)

// String returns "event" or "task".
func (k Kind) String() string { return [...]string{"event", "task"}[k&1] }

// Type is what all messages of one type have in common.
type Type struct {
	// Topic names the type among all services that share the database or a broker: "shop.order.placed". Lower-case
	// letters, digits, and . _ - between them; at most 200 bytes. Required.
	Topic string
	// Kind says who gets it. Defaults to Event.
	Kind Kind
	// Version is that of the payload, counted from 1. Defaults to 1.
	Version int
	// Required makes publishing fail where an event has no subscriber, instead of dropping it.
	Required bool
}

const maxTopic = 200

// Validate says what is wrong with the type.
func (t Type) Validate() error {
	if err := checkName("topic", t.Topic); err != nil {
		return err
	}
	if t.Version < 0 || t.Kind > Task {
		return fault.New(fault.Invalid, fmt.Sprintf("the version or the kind of topic %q is unknown", t.Topic))
	}
	return nil
}

// ValidateGroup says what is wrong with the name of a group. It follows the rules of topics.
func ValidateGroup(name string) error { return checkName("group", name) }

func checkName(what, name string) error {
	if name == "" || len(name) > maxTopic {
		return fault.New(fault.Invalid, fmt.Sprintf("a %s has between 1 and %d bytes, not %d", what, maxTopic, len(name)))
	}
	for i, c := range []byte(name) {
		inside := c == '.' || c == '_' || c == '-'
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || inside && i > 0 && i < len(name)-1 {
			continue
		}
		return fault.New(fault.Invalid, fmt.Sprintf("the %s %q has an unexpected character at byte %d", what, name, i))
	}
	return nil
}

// MaxKey is how many bytes a key may have.
const MaxKey = 512

// CheckKey says what is wrong with a key: it is valid UTF-8 without NUL, and at most [MaxKey] bytes.
func CheckKey(key string) error {
	switch {
	case len(key) > MaxKey:
		return fault.New(fault.Invalid, fmt.Sprintf("a message key has at most %d bytes, not %d", MaxKey, len(key)))
	case !utf8.ValidString(key) || strings.ContainsRune(key, 0):
		return fault.New(fault.Invalid, "a message key is text without NUL")
	}
	return nil
}

// Slots is the number of slots that keys are spread over. It never changes: a lane of a destination is a range of slots,
// and a key must not move while messages with it are stored.
const Slots = 1024

// Slot returns the slot of a key.
func Slot(key string) int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key)) // it has no errors
	s := h.Sum64()
	return int((s ^ s>>32) % Slots)
}
