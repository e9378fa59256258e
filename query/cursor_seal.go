package query

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"strconv"
	"sync"

	"github.com/urutu-go/urutu/fault"
)

// MinCursorKey is the least length of a secret that cursors are sealed with.
const MinCursorKey = 32

// CursorKeys are the keys that cursors are sealed with, so that nobody can read or make one: AES-256-GCM under keys that
// are derived from secrets. It is safe for concurrent use.
type CursorKeys struct {
	seals  []cipher.AEAD // the first one seals, all open
	nonces sync.Pool     // a hash.Hash keyed for the first one's nonces
	random bool
}

// NewCursorKeys returns the keys for secrets of at least [MinCursorKey] bytes each, of which the first one seals and all
// open: a new secret is put before the old one, and the old one left out once no cursor of it is in use any more. Without
// a secret there is a random key, whose cursors only these very CursorKeys open. Errors are fault.Misconfigured and say
// which secret is too short, by its position.
func NewCursorKeys(secrets ...string) (*CursorKeys, error) {
	k := &CursorKeys{}
	if len(secrets) == 0 {
		k.random, secrets = true, []string{rand.Text() + rand.Text()}
	}
	for i, secret := range secrets {
		if len(secret) < MinCursorKey {
			return nil, fault.Newf(fault.Misconfigured, "the cursor key %d is shorter than %d bytes", i+1, MinCursorKey)
		}
		seal, nonces, err := cursorKey(secret)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, "query.NewCursorKeys", err)
		}
		if i == 0 {
			k.nonces.New = func() any { return hmac.New(sha256.New, nonces) }
		}
		k.seals = append(k.seals, seal)
	}
	return k, nil
}

// cursorKey derives from a secret what seals, and the key of its nonces.
func cursorKey(secret string) (cipher.AEAD, []byte, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "urutu cursor", 2*sha256.Size)
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(key[:sha256.Size])
	if err != nil {
		return nil, nil, err
	}
	seal, err := cipher.NewGCM(block)
	return seal, key[sha256.Size:], err
}

// Random reports whether the key is a random one, which no other process has.
func (k *CursorKeys) Random() bool { return k.random }

// cursorVersion is the first byte of a cursor, and changes with what is sealed in it.
const cursorVersion = 1

// seal returns the cursor for a place. The nonce is made of what is sealed, so that one place has one cursor, whose
// page has one representation; and no two places share a nonce.
func (k *CursorKeys) seal(p *place) string {
	plain := p.encode(make([]byte, 0, 64))
	mac := k.nonces.Get().(hash.Hash)
	mac.Reset()
	mac.Write(plain)
	seal := k.seals[0]
	out := append(make([]byte, 0, 1+sha256.Size+len(plain)+seal.Overhead()), cursorVersion)
	out = mac.Sum(out)[:1+seal.NonceSize()]
	k.nonces.Put(mac)
	out = seal.Seal(out, out[1:], plain, out[:1])
	return base64.RawURLEncoding.EncodeToString(out)
}

// open returns the place that was sealed in a cursor. Errors are fault.BadRequest.
func (k *CursorKeys) open(cursor string) (place, error) {
	const wrong = "is not a cursor of this service"
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(sealed) == 0 {
		return place{}, badCursor(wrong)
	}
	if sealed[0] != cursorVersion {
		return place{}, badCursor("is of version " + strconv.Itoa(int(sealed[0])) + ", which is not known here; begin at the first page")
	}
	for _, seal := range k.seals {
		n := 1 + seal.NonceSize()
		if len(sealed) < n {
			break
		}
		plain, err := seal.Open(nil, sealed[1:n], sealed[n:], sealed[:1])
		if err != nil {
			continue
		}
		if p, ok := decodePlace(plain); ok {
			return p, nil
		}
	}
	return place{}, badCursor(wrong)
}
