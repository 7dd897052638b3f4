package redox

import (
	"encoding/base64"
	"reflect"
	"strings"

	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	observationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/observation_go_proto"
)

// The values of ValueType.
const (
	valueNumeric  = "Numeric"
	valueString   = "String"
	valueDate     = "Date"
	valueDateTime = "DateTime"
	valueTime     = "Time"
	valueCoded    = "Coded Entry"
	valueDocument = "Encapsulated Data"
)

// untyped is the name of the extension on values whose ValueType nobody said.
const untyped = "untyped"

func flagged(address string) []*dtpb.Extension {
	return []*dtpb.Extension{{Url: uri(address), Value: &dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_Boolean{Boolean: boolean(true)}}}}
}

func hasExtension(extensions []*dtpb.Extension, address string) bool {
	for _, e := range extensions {
		if e.GetUrl().GetValue() == address {
			return true
		}
	}
	return false
}

// measured is Value, ValueType, Units and FileType as Observation.value. What
// is not of the type that it says becomes a text. A document is no value in
// R4: it goes to the report's presentedForm, where there is a report.
var measured = codec{
	write: func(w *writer, f fields, put func(any)) {
		value, kind, units := f.text(0), f.text(1), f.text(2)
		if *value == "" {
			return
		}
		out := &observationpb.Observation_ValueX{}
		switch *kind {
		case valueNumeric:
			if q := quantity(*value, *units); q != nil {
				*value, *kind, *units = "", "", ""
				out.Choice = &observationpb.Observation_ValueX_Quantity{Quantity: q}
			}
		case valueDate, valueDateTime:
			if m, ok := w.o.parseTime(*value); ok && m.text() == *value {
				if m.hasTime() == (*kind == valueDateTime) {
					*kind = ""
				}
				*value = ""
				out.Choice = &observationpb.Observation_ValueX_DateTime{DateTime: m.dateTime()}
			}
		case valueTime:
			if t := clock(*value); t != nil {
				*value, *kind = "", ""
				out.Choice = &observationpb.Observation_ValueX_Time{Time: t}
			}
		case valueCoded:
			*kind = ""
			out.Choice = &observationpb.Observation_ValueX_CodeableConcept{CodeableConcept: inWords(take(value))}
		case valueDocument:
			if w.attach == nil {
				break
			}
			if a := w.document(value, f.text(3)); a != nil {
				w.attach(a)
				return
			}
		}
		if out.Choice == nil {
			said := str(take(value))
			if *kind == "" {
				said.Extension = flagged(w.o.url(untyped))
			}
			if *kind == valueString {
				*kind = ""
			}
			out.Choice = &observationpb.Observation_ValueX_StringValue{StringValue: said}
		}
		put(out)
	},
	read: func(r *reader, f fields, v any) {
		value, kind, units := f.text(0), f.text(1), f.text(2)
		in := v.(*observationpb.Observation_ValueX)
		switch {
		case in.GetQuantity() != nil:
			number, unit := readQuantity(in.GetQuantity())
			give(value, number)
			give(kind, valueNumeric)
			give(units, unit)
		case in.GetDateTime() != nil:
			m, ok := ofDateTime(in.GetDateTime())
			r.giveTime(value, m, ok)
			if m.hasTime() {
				give(kind, valueDateTime)
			}
			give(kind, valueDate)
		case in.GetTime() != nil:
			give(value, readClock(in.GetTime()))
			give(kind, valueTime)
		case in.GetCodeableConcept() != nil:
			give(value, wordsOf(in.GetCodeableConcept()))
			give(kind, valueCoded)
		case in.GetStringValue() != nil:
			give(value, in.GetStringValue().GetValue())
			if !hasExtension(in.GetStringValue().GetExtension(), r.o.url(untyped)) {
				give(kind, valueString)
			}
		case in.GetBoolean() != nil:
			give(value, map[bool]string{true: "true", false: "false"}[in.GetBoolean().GetValue()])
			give(kind, valueString)
		}
	},
}

// document makes an attachment of base64 or of the URI of an uploaded file.
func (w *writer) document(value, fileType *string) *dtpb.Attachment {
	a := &dtpb.Attachment{}
	if isURI(*value) {
		a.Url = &dtpb.Url{Value: take(value)}
	} else if data, ok := decodeBase64(*value); ok {
		a.Data = &dtpb.Base64Binary{Value: data}
		*value = ""
	} else {
		return nil
	}
	if mime := mediaTypes.take(fileType); mime != "" {
		a.ContentType = &dtpb.Attachment_ContentTypeCode{Value: mime}
	}
	return a
}

// mediaType is the media type of an attachment; what nobody said is bytes.
func (w *writer) mediaType(mime string) *dtpb.Attachment_ContentTypeCode {
	if mime == "" {
		return &dtpb.Attachment_ContentTypeCode{Value: "application/octet-stream", Extension: w.assumed()}
	}
	return &dtpb.Attachment_ContentTypeCode{Value: mime}
}

func (r *reader) mediaType(a *dtpb.Attachment) string {
	if r.assumed(a.GetContentType().GetExtension()) {
		return ""
	}
	mime, _, _ := strings.Cut(a.GetContentType().GetValue(), ";")
	return mime
}

func (r *reader) readDocument(a *dtpb.Attachment, value, fileType *string) {
	switch {
	case a.GetUrl() != nil:
		give(value, a.GetUrl().GetValue())
	case a.GetData() != nil:
		give(value, base64.StdEncoding.EncodeToString(a.GetData().GetValue()))
	}
	mime := r.mediaType(a)
	mediaTypes.give(fileType, mime)
	give(fileType, mime)
}

// decodeBase64 takes only what is spelled as it will come back.
func decodeBase64(s string) ([]byte, bool) {
	data, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(data) == 0 || strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	return data, true
}

// mediaTypes are the media types of FileType.
var mediaTypes = words{
	{"PDF", "application/pdf"}, {"JPG", "image/jpeg"}, {"JPEG", "image/jpeg"}, {"PNG", "image/png"}, {"GIF", "image/gif"},
	{"TIFF", "image/tiff"}, {"TIF", "image/tiff"}, {"BMP", "image/bmp"}, {"TXT", "text/plain"}, {"RTF", "text/rtf"}, {"HTML", "text/html"},
	{"XML", "text/xml"}, {"CCDA", "text/xml"}, {"CCD", "text/xml"}, {"CDA", "text/xml"}, {"JSON", "application/json"}, {"CSV", "text/csv"},
	{"DOC", "application/msword"}, {"DOCX", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
	{"MP3", "audio/mpeg"}, {"WAV", "audio/wav"}, {"MP4", "video/mp4"}, {"DICOM", "application/dicom"}, {"ZIP", "application/zip"},
}

// normalRange is Low, High and Text of a ReferenceRange object, and Units, as
// Observation.referenceRange.
var normalRange = codec{
	write: func(w *writer, f fields, put func(any)) {
		at := reflect.ValueOf(f[0]).Elem()
		if isEmpty(at.Interface()) {
			return
		}
		left := reflect.New(at.Type().Elem())
		left.Elem().Set(at.Elem())
		low, high, text := rangeOf(left.Elem())
		out := &observationpb.Observation_ReferenceRange{}
		if q := simple(quantity(low.String(), *f.text(1))); q != nil {
			out.Low = q
			low.SetString("")
		}
		if q := simple(quantity(high.String(), *f.text(1))); q != nil {
			out.High = q
			high.SetString("")
		}
		out.Text = str(text.String())
		text.SetString("")
		if out.Low == nil && out.High == nil && out.Text == nil { // obs-3: it must say one of them
			return
		}
		out.Extension = w.rest("ReferenceRange", left.Interface())
		at.SetZero()
		put(out)
	},
	read: func(r *reader, f fields, v any) {
		at, in := reflect.ValueOf(f[0]).Elem(), v.(*observationpb.Observation_ReferenceRange)
		if !at.IsNil() {
			return
		}
		out := reflect.New(at.Type().Elem())
		r.restore("ReferenceRange", in.Extension, out.Interface())
		low, high, text := rangeOf(out.Elem())
		if in.Low != nil {
			low.SetString(in.GetLow().GetValue().GetValue())
		}
		if in.High != nil {
			high.SetString(in.GetHigh().GetValue().GetValue())
		}
		if in.Text != nil {
			text.SetString(in.GetText().GetValue())
		}
		at.Set(out)
	},
}

func rangeOf(object reflect.Value) (low, high, text reflect.Value) {
	index := members(object.Type())
	return object.Field(index["Low"]), object.Field(index["High"]), object.Field(index["Text"])
}

// Redox: AbnormalFlag; FHIR: v3-ObservationInterpretation.
var abnormalFlags = words{
	{"Normal", "N"}, {"Low", "L"}, {"Very Low", "LL"}, {"High", "H"}, {"Very High", "HH"}, {"Abnormal", "A"}, {"Very Abnormal", "AA"},
}

var interpretationNames = words{
	{"Normal", "N"}, {"Low", "L"}, {"Critical low", "LL"}, {"High", "H"}, {"Critical high", "HH"}, {"Abnormal", "A"}, {"Critical abnormal", "AA"},
}

var interpretation = wordsIn(v3+"ObservationInterpretation", abnormalFlags, interpretationNames)

// isMediaType recognises text/plain.
func isMediaType(s string) bool {
	kind, sub, ok := strings.Cut(s, "/")
	return ok && kind != "" && sub != "" && isCodeValue(s) && !strings.ContainsAny(s, " ;")
}
