package argument

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size reads a number of bytes: "1234", "10k", "10M", "1GB", "1GiB"; a k is 1024.
func Size(s string) (int64, error) {
	digits := leadingDigits(s)
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("size %.40q: want a number of bytes, like 10M", s)
	}
	unit := strings.ToUpper(s[len(digits):])
	shift := uint(0)
	if unit != "" && unit != "B" {
		letter := unit[:1]
		i := strings.Index("KMGT", letter)
		if rest := unit[1:]; i < 0 || rest != "" && rest != "B" && rest != "IB" {
			return 0, fmt.Errorf("size %.40q: unknown unit %.20q; known are k, M, G, T", s, s[len(digits):])
		}
		shift = 10 * uint(i+1)
	}
	if n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("size %.40q: too large", s)
	}
	return n << shift, nil
}
