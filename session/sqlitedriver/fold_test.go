package sqlitedriver

import (
	"strings"
	"testing"
	"unicode"
)

func TestFold(t *testing.T) {
	t.Parallel()

	for _, same := range [][]string{
		{"hello", "HELLO", "Hello"}, {"grüße äöü", "GRÜßE ÄÖÜ"}, {"жизнь", "ЖИЗНЬ"}, {"k", "K", "\u212a"},
		{"s", "S", "\u017f"}, {"σ", "Σ", "ς"}, {"µ", "μ"}, {"ⅷ", "Ⅷ"}, {"𐐨", "𐐀"}, {"", ""}, {"日本", "日本"},
	} {
		for _, s := range same {
			if fold(s) != fold(same[0]) {
				t.Errorf("fold(%q) = %q, fold(%q) = %q", s, fold(s), same[0], fold(same[0]))
			}
		}
	}
	if fold("résumé") == fold("resume") {
		t.Error("accents are lost")
	}
}

// TestFoldRune tries all characters: two fold to the same exactly if they differ only in case.
func TestFoldRune(t *testing.T) {
	t.Parallel()

	foldedFrom := make(map[rune]rune)
	for r := rune(0); r <= unicode.MaxRune; r++ {
		folded := foldRune(r)
		if next := foldRune(unicode.SimpleFold(r)); next != folded {
			t.Errorf("%U folds to %U, and another case of it to %U", r, folded, next)
		}
		if first, ok := foldedFrom[folded]; ok && !strings.EqualFold(string(first), string(r)) {
			t.Errorf("%U and %U both fold to %U", first, r, folded)
		}
		foldedFrom[folded] = r
	}
}

// FuzzFold compares with the standard library's comparison that ignores case.
func FuzzFold(f *testing.F) {
	f.Add("Hello", "hELLO")
	f.Add("ß", "ẞ")
	f.Add("İ", "i")
	f.Fuzz(func(t *testing.T, a, b string) {
		if got, want := fold(a) == fold(b), strings.EqualFold(a, b); got != want {
			t.Errorf("fold(%q) == fold(%q) is %t, strings.EqualFold says %t", a, b, got, want)
		}
		if fold(fold(a)) != fold(a) {
			t.Errorf("folding %q twice gives %q", a, fold(fold(a)))
		}
	})
}
