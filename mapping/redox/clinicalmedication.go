package redox

import (
	"github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	appointmentpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/appointment_go_proto"
	devicerequestpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/device_request_go_proto"
	administrationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/medication_administration_go_proto"
	medicationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/medication_request_go_proto"
	requestpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/service_request_go_proto"
	deliverypb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/supply_delivery_go_proto"
	"github.com/google/fhir/go/proto/google/fhir/proto/r4/core/valuesets_go_proto"
	"google.golang.org/protobuf/proto"
)

// medicationTable is a us-core-medicationrequest.
var medicationTable = tableOf[Medication, *medicationpb.MedicationRequest]("Medication",
	line{"Status", "status", status(medicationStatuses, "active")},
	line{"Prescription", "intent", prescribed},
	line{"Product", "medicationCodeableConcept", objectOrUnknown},
	line{"Dose", "dosageInstruction.doseAndRate.doseQuantity", amount},
	line{"Rate", "dosageInstruction.doseAndRate.rateQuantity", amount},
	line{"Route", "dosageInstruction.route", clinicalObject},
	line{"Frequency", "dosageInstruction.timing.repeat", frequency},
	line{"StartDate EndDate", "dosageInstruction.timing.repeat.boundsPeriod", span},
	line{"IsPRN", "dosageInstruction.asNeededBoolean", yesNo},
	line{"FreeTextSig", "dosageInstruction.text", plainText},
	line{"Indications", "reasonCode", clinicalList},
	line{"SupplyOrder", "dispenseRequest", inside(supplyOrderTable)},
	line{"NumberOfRefillsRemaining", "dispenseRequest.numberOfRepeatsAllowed", wholeNumber},
	line{"", "subject", subject},
)

var supplyOrderTable = tableOf[SupplyOrder, *medicationpb.MedicationRequest_DispenseRequest]("SupplyOrder",
	line{"StartDate EndDate", "validityPeriod", span},
	line{"Quantity Units", "quantity", quantified},
)

// administeredTable is what a patient was given.
var administeredTable = tableOf[MedicationAdministered, *administrationpb.MedicationAdministration]("MedicationAdministered",
	line{"Status", "status", status(administrationStatuses, "completed")},
	line{"ReasonNotGiven", "statusReason", inText},
	line{"Product", "medicationCodeableConcept", objectOrUnknown},
	line{"Dose", "dosage.dose", amount},
	line{"Rate", "dosage.rateQuantity", amount},
	line{"Route", "dosage.route", clinicalObject},
	line{"StartDate EndDate", "effectivePeriod", fullSpan},
	line{"StartDate", "effectiveDateTime", dateTime},
	line{"", "subject", subject},
)

// plannedMedicationTable is a medication that a patient is to be given.
var plannedMedicationTable = tableOf[MedicationAdministration, *medicationpb.MedicationRequest]("MedicationAdministration",
	line{"", "status", fixed(assumedValue{"active"})},
	line{"Status", "intent", status(planMoods, "plan")},
	line{"Product", "medicationCodeableConcept", objectOrUnknown},
	line{"Dose", "dosageInstruction.doseAndRate.doseQuantity", amount},
	line{"Rate", "dosageInstruction.doseAndRate.rateQuantity", amount},
	line{"Route", "dosageInstruction.route", clinicalObject},
	line{"Frequency", "dosageInstruction.timing.repeat", frequency},
	line{"StartDate EndDate", "dosageInstruction.timing.repeat.boundsPeriod", span},
	line{"", "subject", subject},
)

// planLines are those of what is planned for a patient.
var planLines = []line{
	{"", "status", fixed(assumedValue{"active"})},
	{"Status", "intent", status(planMoods, "plan")},
	{codeAll, "code", codeOrUnknown},
	{"DateTime", "occurrenceDateTime", dateTime},
	{"", "subject", subject},
}

var plannedOrderTable = tableOf[PlanOfCareOrder, *requestpb.ServiceRequest]("PlanOfCareOrder", planLines...)
var plannedServiceTable = tableOf[ProceduresService, *requestpb.ServiceRequest]("ProceduresService",
	append(planLines[:len(planLines):len(planLines)], line{"Comments", "note", comments})...)
var plannedProcedureTable = tableOf[Procedure, *requestpb.ServiceRequest]("Procedure",
	append(planLines[:len(planLines):len(planLines)], line{"Comments", "note", comments}, line{"TargetSite", "bodySite", clinicalObject})...)

var plannedSupplyTable = tableOf[Supply, *devicerequestpb.DeviceRequest]("Supply",
	line{"", "status", fixed(assumedValue{"active"})},
	line{"Status", "intent", status(planMoods, "plan")},
	line{codeAll, "codeCodeableConcept", codeOrUnknown},
	line{"DateTime", "occurrenceDateTime", dateTime},
	line{"", "subject", subject},
)

// plannedEncounterTable is a visit that is planned and has no time yet that
// somebody agreed to.
var plannedEncounterTable = tableOf[PlanOfCareEncounter, *appointmentpb.Appointment]("PlanOfCareEncounter",
	line{"", "status", fixed("proposed")},
	line{codeAll, "serviceType", clinicalCode},
	line{"Identifiers", "identifier", identifiers},
	line{"DateTime", "requestedPeriod.start", dateTime},
	line{"", "participant", attendance},
)

var attendance = codec{always: true,
	write: func(w *writer, _ fields, put func(any)) {
		put(&appointmentpb.Appointment_Participant{Actor: w.subjectRef(),
			Status: &appointmentpb.Appointment_Participant_StatusCode{Value: codes_go_proto.ParticipationStatusCode_NEEDS_ACTION}})
	},
	read: func(*reader, fields, any) {},
}

var supplyTable = tableOf[Supply, *deliverypb.SupplyDelivery]("Supply",
	line{"Status", "status", status(supplyStatuses, "completed")},
	line{codeAll, "suppliedItem.itemCodeableConcept", clinicalCode},
	line{"DateTime", "occurrenceDateTime", dateTime},
	line{"", "patient", subject},
)

// prescribed is Prescription as an intent: what is no prescription is a plan.
var prescribed = codec{always: true,
	write: func(_ *writer, f fields, put func(any)) {
		switch is := take(f[0].(**bool)); {
		case is == nil:
			put(assumedValue{"order"})
		case *is:
			put("order")
		default:
			put("plan")
		}
	},
	read: func(_ *reader, f fields, v any) {
		if is := f[0].(**bool); *is == nil {
			*is = Bool(v.(string) != "plan" && v.(string) != "proposal")
		}
	},
}

// fullSpan is a period whose start and end are both known.
var fullSpan = codec{
	write: func(w *writer, f fields, put func(any)) {
		if _, ok := w.o.parseTime(*f.text(0)); !ok {
			return
		}
		if _, ok := w.o.parseTime(*f.text(1)); ok {
			put(&dtpb.Period{Start: w.dateTime(f.text(0)), End: w.dateTime(f.text(1))})
		}
	},
	read: span.read,
}

// frequency is Period and Unit of a Frequency object, of whichever of the
// types: once in each period.
var frequency = codec{
	write: func(w *writer, f fields, put func(any)) {
		var period, unit, longest string
		switch p := f[0].(type) {
		case **Frequency:
			left := **p
			period, unit, longest = take(&left.Period), take(&left.Unit), take(&left.PeriodMax)
			if !fitsTiming(period, unit, longest) {
				return
			}
			*p = &left
		case **MedicationFrequency:
			left := **p
			period, unit = string(take(&left.Period)), take(&left.Unit)
			if !fitsTiming(period, unit, "") {
				return
			}
			*p = &left
		}
		put(filler(func(m proto.Message) {
			t := m.(*dtpb.Timing_Repeat)
			t.Frequency, t.Period = &dtpb.PositiveInt{Value: 1}, &dtpb.Decimal{Value: period}
			t.PeriodUnit = &dtpb.Timing_Repeat_PeriodUnitCode{Value: unitsOfTime[unit]}
			if longest != "" {
				t.PeriodMax = &dtpb.Decimal{Value: longest}
			}
		}))
	},
	read: func(_ *reader, f fields, v any) {
		t := v.(*dtpb.Timing_Repeat)
		if t.Period == nil {
			return
		}
		period, unit := t.GetPeriod().GetValue(), ""
		for u, value := range unitsOfTime {
			if value == t.GetPeriodUnit().GetValue() {
				unit = u
			}
		}
		switch p := f[0].(type) {
		case **Frequency:
			if *p == nil {
				*p = &Frequency{}
			}
			give(&(*p).Period, period)
			give(&(*p).Unit, unit)
			give(&(*p).PeriodMax, t.GetPeriodMax().GetValue())
		case **MedicationFrequency:
			if *p == nil {
				*p = &MedicationFrequency{}
			}
			if (*p).Period == "" {
				(*p).Period = Number(period)
			}
			give(&(*p).Unit, unit)
		}
	},
}

// fitsTiming: FHIR's invariants tim-2, tim-4 and tim-5 want a unit with a
// period, and neither below zero.
func fitsTiming(period, unit, longest string) bool {
	_, known := unitsOfTime[unit]
	return known && decimalText(period) && period[0] != '-' && (longest == "" || decimalText(longest) && longest[0] != '-')
}

var unitsOfTime = map[string]valuesets_go_proto.UnitsOfTimeValueSet_Value{
	"s": valuesets_go_proto.UnitsOfTimeValueSet_S, "min": valuesets_go_proto.UnitsOfTimeValueSet_MIN, "h": valuesets_go_proto.UnitsOfTimeValueSet_H,
	"d": valuesets_go_proto.UnitsOfTimeValueSet_D, "wk": valuesets_go_proto.UnitsOfTimeValueSet_WK, "mo": valuesets_go_proto.UnitsOfTimeValueSet_MO,
	"a": valuesets_go_proto.UnitsOfTimeValueSet_A,
}
