package session

import "strings"

// controls reports whether a statement begins or ends a transaction or a savepoint, by its first word: the session would
// not know of it. It stops a library's mistake, and is no wall: several statements in one text, and what is done with
// the driver's own connection, are found afterwards.
func controls(query string) bool {
	word, rest := firstWord(query)
	if len(word) > len("SAVEPOINT") {
		return false
	}
	switch strings.ToUpper(word) {
	case "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE":
		return true
	case "PREPARE":
		next, _ := firstWord(rest)
		return strings.EqualFold(next, "TRANSACTION")
	}
	return false
}

// firstWord returns the first word of a statement, without the spaces and comments before it, and what follows it.
func firstWord(query string) (word, rest string) {
	for {
		query = strings.TrimLeft(query, " \t\r\n\f;(")
		var found bool
		switch {
		case strings.HasPrefix(query, "--"):
			_, query, found = strings.Cut(query, "\n")
		case strings.HasPrefix(query, "/*"):
			_, query, found = strings.Cut(query, "*/")
		default:
			end := strings.IndexFunc(query, func(r rune) bool { return !isLetter(r) })
			if end < 0 {
				end = len(query)
			}
			return query[:end], query[end:]
		}
		if !found {
			return "", ""
		}
	}
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' }
