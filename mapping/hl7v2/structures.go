package hl7v2

// structures are the abstract message structures that are known, by their
// names. HL7 v2.5.1 chapters 3, 4, 6, 7, 9, 10, 11; PV1 is optional in the
// structures of A28 and A31 and in the merge, because real ones come without.
// Segments that are rarely sent are not listed: they stay where they stand.
var structures = compileStructures(map[string]string{
	"ADT_A01": `MSH [{SFT}] EVN PID [PD1] [{NK1}] [PV1] [PV2] [{OBX}] [{AL1}] [{DG1}] [DRG] [{PR1}] [{GT1}] [{INSURANCE: IN1 [IN2] [{IN3}]}]`,
	"ADT_A02": `MSH [{SFT}] EVN PID [PD1] PV1 [PV2] [{OBX}]`,
	"ADT_A03": `MSH [{SFT}] EVN PID [PD1] [{NK1}] PV1 [PV2] [{AL1}] [{DG1}] [DRG] [{PR1}] [{OBX}] [{GT1}] [{INSURANCE: IN1 [IN2] [{IN3}]}]`,
	"ADT_A05": `MSH [{SFT}] EVN PID [PD1] [{NK1}] [PV1] [PV2] [{OBX}] [{AL1}] [{DG1}] [DRG] [{PR1}] [{GT1}] [{INSURANCE: IN1 [IN2] [{IN3}]}]`,
	"ADT_A09": `MSH [{SFT}] EVN PID [PD1] PV1 [PV2] [{OBX}] [{DG1}]`,
	"ADT_A12": `MSH [{SFT}] EVN PID [PD1] PV1 [PV2] [{OBX}] [DG1]`,
	"ADT_A30": `MSH [{SFT}] EVN PID [PD1] MRG`,
	"ADT_A39": `MSH [{SFT}] EVN {PATIENT: PID [PD1] MRG [PV1]}`,
	"SIU_S12": `MSH [{SFT}] SCH [{TQ1}] [{NTE}] [{PATIENT: PID [PD1] [PV1] [PV2] [{OBX}] [{DG1}]}]
		[{RESOURCES: RGS [{SERVICE: AIS [{NTE}]}] [{GENERAL_RESOURCE: AIG [{NTE}]}] [{LOCATION_RESOURCE: AIL [{NTE}]}] [{PERSONNEL_RESOURCE: AIP [{NTE}]}]}]`,
	"ORM_O01": `MSH [{SFT}] [{NTE}] [PATIENT: PID [PD1] [{NTE}] [PATIENT_VISIT: PV1 [PV2]] [{INSURANCE: IN1 [IN2] [IN3]}] [GT1] [{AL1}]]
		{ORDER: ORC [{TQ1}] [ORDER_DETAIL: [OBR] [RQD] [RQ1] [RXO] [ODS] [ODT] [{NTE}] [CTD] [{DG1}] [{OBSERVATION: OBX [{NTE}]}]] [{FT1}] [{CTI}] [BLG]}`,
	"OMG_O19": `MSH [{SFT}] [{NTE}] [PATIENT: PID [PD1] [{NTE}] [{NK1}] [PATIENT_VISIT: PV1 [PV2]] [{INSURANCE: IN1 [IN2] [IN3]}] [GT1] [{AL1}]]
		{ORDER: ORC [{TIMING: TQ1 [{TQ2}]}] OBR [{NTE}] [CTD] [{DG1}] [{OBSERVATION: OBX [{NTE}]}] [{SPECIMEN: SPM [{OBX}] [{CONTAINER: SAC [{OBX}]}]}] [{FT1}] [{CTI}] [BLG]}`,
	"OML_O21": `MSH [{SFT}] [{NTE}] [PATIENT: PID [PD1] [{NTE}] [{NK1}] [PATIENT_VISIT: PV1 [PV2]] [{INSURANCE: IN1 [IN2] [IN3]}] [GT1] [{AL1}]]
		{ORDER: ORC [{TIMING: TQ1 [{TQ2}]}] [OBSERVATION_REQUEST: OBR [TCD] [{NTE}] [CTD] [{DG1}] [{OBSERVATION: OBX [TCD] [{NTE}]}] [{SPECIMEN: SPM [{OBX}] [{CONTAINER: SAC [{OBX}]}]}]] [{FT1}] [{CTI}] [BLG]}`,
	"ORU_R01": `MSH [{SFT}] {PATIENT_RESULT: [PATIENT: PID [PD1] [{NTE}] [{NK1}] [VISIT: PV1 [PV2]]]
		{ORDER_OBSERVATION: [ORC] OBR [{NTE}] [{TIMING_QTY: TQ1 [{TQ2}]}] [CTD] [{OBSERVATION: OBX [{NTE}]}] [{FT1}] [{CTI}] [{SPECIMEN: SPM [{OBX}]}]}} [DSC]`,
	"MDM_T01": `MSH [{SFT}] EVN PID PV1 [{COMMON_ORDER: ORC [{TQ1}] OBR [{NTE}]}] TXA`,
	"MDM_T02": `MSH [{SFT}] EVN PID PV1 [{COMMON_ORDER: ORC [{TQ1}] OBR [{NTE}]}] TXA [{OBSERVATION: OBX [{NTE}]}]`,
	"VXU_V04": `MSH [{SFT}] PID [PD1] [{NK1}] [PATIENT: PV1 [PV2]] [{GT1}] [{INSURANCE: IN1 [IN2] [IN3]}]
		[{ORDER: [ORC] [{TIMING: TQ1 [{TQ2}]}] RXA [RXR] [{OBSERVATION: OBX [{NTE}]}]}]`,
	"DFT_P03": `MSH [{SFT}] EVN PID [PD1] [PV1] [PV2] [{COMMON_ORDER: ORC [{TQ1}] [OBR] [{NTE}] [{OBX}]}]
		{FINANCIAL: FT1 [NTE] [{PR1}]} [{DG1}] [DRG] [{GT1}] [{INSURANCE: IN1 [IN2] [{IN3}]}]`,
	"REF_I12": `MSH [{SFT}] [RF1] [AUTHORIZATION: AUT [CTD]] {PROVIDER_CONTACT: PRD [{CTD}]} PID [{NK1}] [{GT1}] [{INSURANCE: IN1 [IN2] [IN3]}]
		[ACC] [{DG1}] [{DRG}] [{AL1}] [{PROCEDURE: PR1 [AUT]}] [{OBSERVATION: OBR [{NTE}] [{RESULTS_NOTES: OBX [{NTE}]}]}] [PATIENT_VISIT: PV1 [PV2]] [{NTE}]`,
	"ACK": `MSH [{SFT}] MSA [{ERR}]`,
})

// eventStructures are the structures of the events of table 0003 that are
// known. HL7 v2.5.1 table 0354.
var eventStructures = map[string]string{
	"ADT^A01": "ADT_A01", "ADT^A04": "ADT_A01", "ADT^A08": "ADT_A01", "ADT^A13": "ADT_A01",
	"ADT^A02": "ADT_A02", "ADT^A03": "ADT_A03",
	"ADT^A05": "ADT_A05", "ADT^A14": "ADT_A05", "ADT^A28": "ADT_A05", "ADT^A31": "ADT_A05",
	"ADT^A06": "ADT_A01", "ADT^A07": "ADT_A01", // ADT_A06, which has A01's segments and MRG
	"ADT^A09": "ADT_A09", "ADT^A10": "ADT_A09", "ADT^A11": "ADT_A09", "ADT^A12": "ADT_A12",
	"ADT^A30": "ADT_A30", "ADT^A34": "ADT_A30", "ADT^A18": "ADT_A30",
	"ADT^A39": "ADT_A39", "ADT^A40": "ADT_A39", "ADT^A41": "ADT_A39", "ADT^A42": "ADT_A39",
	"SIU^S12": "SIU_S12", "SIU^S13": "SIU_S12", "SIU^S14": "SIU_S12", "SIU^S15": "SIU_S12", "SIU^S16": "SIU_S12",
	"SIU^S17": "SIU_S12", "SIU^S18": "SIU_S12", "SIU^S19": "SIU_S12", "SIU^S20": "SIU_S12", "SIU^S21": "SIU_S12",
	"SIU^S22": "SIU_S12", "SIU^S23": "SIU_S12", "SIU^S24": "SIU_S12", "SIU^S26": "SIU_S12",
	"ORM^O01": "ORM_O01", "OMG^O19": "OMG_O19", "OML^O21": "OML_O21", "ORU^R01": "ORU_R01",
	"MDM^T01": "MDM_T01", "MDM^T03": "MDM_T01", "MDM^T05": "MDM_T01", "MDM^T07": "MDM_T01", "MDM^T09": "MDM_T01", "MDM^T11": "MDM_T01",
	"MDM^T02": "MDM_T02", "MDM^T04": "MDM_T02", "MDM^T06": "MDM_T02", "MDM^T08": "MDM_T02", "MDM^T10": "MDM_T02",
	"VXU^V04": "VXU_V04", "DFT^P03": "DFT_P03",
	"REF^I12": "REF_I12", "REF^I13": "REF_I12", "REF^I14": "REF_I12", "REF^I15": "REF_I12",
}
