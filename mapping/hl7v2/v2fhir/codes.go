package v2fhir

import "strings"

// codeTable is a table of HL7 v2 with what its values are in FHIR. Of several
// values of one code the first is the one that is written.
type codeTable struct {
	number string
	pairs  [][2]string
}

// code is FHIR's code of a value: the connection's own, else the table's, not
// minding case.
func (t *codeTable) code(o Options, value string) string {
	if value == "" {
		return ""
	}
	if c := o.Codes[t.number][value]; c != "" {
		return c
	}
	for _, p := range t.pairs {
		if strings.EqualFold(p[0], value) {
			return p[1]
		}
	}
	return ""
}

// value is the table's value of a code.
func (t *codeTable) value(o Options, code string) string {
	own := ""
	for v, c := range o.Codes[t.number] {
		if c == code && (own == "" || v < own) {
			own = v
		}
	}
	if own != "" {
		return own
	}
	for _, p := range t.pairs {
		if p[1] == code && code != "" {
			return p[0]
		}
	}
	return ""
}

// pairs reads "M=male F=female".
func pairs(number, text string) *codeTable {
	t := &codeTable{number: number}
	for _, word := range strings.Fields(text) {
		v, c, _ := strings.Cut(word, "=")
		t.pairs = append(t.pairs, [2]string{v, c})
	}
	return t
}

// same reads values that are the same in FHIR.
func same(number, text string) *codeTable {
	t := &codeTable{number: number}
	for _, word := range strings.Fields(text) {
		t.pairs = append(t.pairs, [2]string{word, word})
	}
	return t
}

// The tables. HL7 v2.5.1 chapter 2A to 11; FHIR R4's value sets.
var (
	sexes            = pairs("0001", "M=male F=female O=other U=unknown A=other N=other")
	nameUses         = pairs("0200", "L=official D=usual N=nickname M=maiden A=anonymous S=anonymous C=official T=temp TEMP=temp B=official U=usual")
	addressUses      = pairs("0190", "H=home B=work O=work C=temp BA=old P=home L=home")
	phoneUses        = pairs("0201", "PRN=home WPN=work ORN=home VHN=temp EMR=home PRS=mobile ASN=work")
	maritalStatuses  = pairs("0002", "M=M S=S D=D W=W C=C I=I N=A A=L E=L P=T R=T B=U U=UNK T=UNK")
	classes          = pairs("0004", "I=IMP O=AMB E=EMER P=PRENC R=AMB B=IMP")
	orderStatuses    = pairs("0038", "IP=active CM=completed CA=revoked HD=on-hold ER=entered-in-error A=active SC=active DC=revoked RP=revoked")
	orderPriorities  = pairs("0027", "R=routine S=stat A=asap P=urgent T=urgent")
	flags            = same("0078", "L LL H HH N A AA < > S R I MS VS U D B W")
	resultStatuses   = pairs("0085", "F=final P=preliminary C=corrected X=cancelled W=entered-in-error I=registered R=preliminary S=preliminary O=registered D=entered-in-error U=final N=cancelled")
	reportStatuses   = pairs("0123", "F=final P=preliminary A=partial C=corrected X=cancelled I=registered R=preliminary O=registered S=registered Y=unknown Z=unknown")
	fillerStatuses   = pairs("0278", "Booked=booked Pending=pending Waitlist=waitlist Started=arrived Complete=fulfilled Cancelled=cancelled Deleted=entered-in-error Noshow=noshow Overbook=booked Dc=cancelled")
	completions      = pairs("0271", "AU=final LA=final IP=preliminary DI=preliminary DO=preliminary IN=preliminary PA=preliminary AU=amended")
	availabilities   = pairs("0273", "AV=current OB=superseded CA=entered-in-error UN=current")
	confidentiality  = pairs("0272", "U=N R=R V=V UC=N UW=N RE=R VR=V 1=V 2=R 5=N")
	vaccinations     = pairs("0322", "CP=completed PA=completed RE=not-done NA=not-done")
	allergyTypes     = pairs("0127", "DA=medication FA=food EA=environment AA=environment PA=environment LA=environment")
	severities       = pairs("0128", "SV=severe MO=moderate MI=mild")
	contactRoles     = pairs("0131", "C=C N=N E=E F=F I=I S=S U=U")
	diagnosisTypes   = pairs("0052", "A=AD W=CM F=DD")
	referralStatuses = pairs("0283", "A=active P=on-hold E=completed R=revoked")
	referralPriority = pairs("0280", "S=stat A=asap R=routine")
)
