package conformance

// validDate: YYYY, YYYY-MM or YYYY-MM-DD; the date must exist
// (https://hl7.org/fhir/R4/datatypes.html#date). The year 0000 is excluded by
// R4's regular expression.
func validDate(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	year, ok := digits(b[:4])
	if !ok || year == 0 {
		return false
	}
	if len(b) == 4 {
		return true
	}
	if len(b) < 7 || b[4] != '-' {
		return false
	}
	month, ok := digits(b[5:7])
	if !ok || month < 1 || month > 12 {
		return false
	}
	if len(b) == 7 {
		return true
	}
	if len(b) != 10 || b[7] != '-' {
		return false
	}
	day, ok := digits(b[8:10])
	return ok && day >= 1 && day <= daysIn(year, month)
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// validDateTime: a date, or YYYY-MM-DDThh:mm:ss[.fraction] and a time zone;
// hours and minutes need seconds and a zone
// (https://hl7.org/fhir/R4/datatypes.html#dateTime).
func validDateTime(b []byte) bool {
	if len(b) <= 10 {
		return validDate(b)
	}
	if !validDate(b[:10]) || b[10] != 'T' {
		return false
	}
	n := validTime(b[11:])
	return n > 0 && validZone(b[11+n:])
}

// validTime: hh:mm:ss[.fraction]; it returns the length of the time that b
// starts with, 0 for none. A 60th second is a leap second.
func validTime(b []byte) int {
	if len(b) < 8 || b[2] != ':' || b[5] != ':' {
		return 0
	}
	hour, ok1 := digits(b[:2])
	minute, ok2 := digits(b[3:5])
	second, ok3 := digits(b[6:8])
	if !ok1 || !ok2 || !ok3 || hour > 23 || minute > 59 || second > 60 {
		return 0
	}
	if len(b) == 8 || b[8] != '.' {
		return 8
	}
	n := 9
	for n < len(b) && isDigit(b[n]) {
		n++
	}
	if n == 9 {
		return 0
	}
	return n
}

// validZone: Z or an offset up to 14:00.
func validZone(b []byte) bool {
	if len(b) == 1 {
		return b[0] == 'Z'
	}
	if len(b) != 6 || b[0] != '+' && b[0] != '-' || b[3] != ':' {
		return false
	}
	hour, ok1 := digits(b[1:3])
	minute, ok2 := digits(b[4:6])
	return ok1 && ok2 && (hour < 14 && minute <= 59 || hour == 14 && minute == 0)
}

func digits(b []byte) (n int, ok bool) {
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
