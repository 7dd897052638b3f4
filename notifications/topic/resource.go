package topic

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// A SubscriptionTopic is kept in R4 as Basic, its elements as the cross-version
// extensions of R5 or of R4B (Subscriptions R5 Backport IG, topics).
const (
	typesSystem = "http://hl7.org/fhir/fhir-types"
	typeCode    = "SubscriptionTopic"
	stemR5      = "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic."
	stemR4B     = "http://hl7.org/fhir/4.3/StructureDefinition/extension-SubscriptionTopic."
)

// IsTopic reports whether a Basic is a SubscriptionTopic.
func IsTopic(basic rawjson.Node) bool {
	code, _ := basic.Member("code")
	list, _ := code.Member("coding")
	for c := range list.Elements() {
		if text(c, "system") == typesSystem && text(c, "code") == typeCode {
			return true
		}
	}
	return false
}

// Parse reads a SubscriptionTopic from a Basic.
func Parse(basic rawjson.Node, d *conformance.Definitions) (Topic, error) {
	var t Topic
	for _, member := range [2]string{"extension", "modifierExtension"} {
		for e := range list(basic, member) {
			url := text(e, "url")
			name, ok := strings.CutPrefix(url, stemR5)
			if !ok {
				if name, ok = strings.CutPrefix(url, stemR4B); !ok {
					continue
				}
			}
			if err := t.element(name, e, d); err != nil {
				return t, err
			}
		}
	}
	switch {
	case t.URL == "":
		return t, refuse("A SubscriptionTopic needs a url, the canonical that Subscriptions name.")
	case !strings.HasPrefix(t.URL, "http://") && !strings.HasPrefix(t.URL, "https://") && !strings.HasPrefix(t.URL, "urn:"), strings.ContainsAny(t.URL, "|# "):
		return t, refuse("The url of a SubscriptionTopic must be an absolute URL or URN without a version.")
	case strings.HasPrefix(t.URL, Base):
		return t, refuse("The url of a SubscriptionTopic must not be one of those built in.")
	case len(t.Triggers) == 0:
		return t, refuse("A SubscriptionTopic needs a resourceTrigger; other triggers are not supported here.")
	}
	return t, nil
}

// element reads one element of a SubscriptionTopic.
func (t *Topic) element(name string, e rawjson.Node, d *conformance.Definitions) error {
	switch name {
	case "url":
		t.URL = value(e)
	case "version":
		t.Version = value(e)
	case "title", "name":
		if t.Title == "" || name == "title" {
			t.Title = value(e)
		}
	case "status":
		if value(e) == "retired" {
			t.retired = true
		}
	case "resourceTrigger":
		def, err := trigger(e, d)
		if err != nil {
			return err
		}
		t.Triggers = append(t.Triggers, def)
	case "canFilterBy":
		return t.filter(e, d)
	case "notificationShape":
		for part := range list(e, "extension") {
			switch text(part, "url") {
			case "resource":
			default:
				return refuse("notificationShape takes resource only; what is included besides the focus cannot be chosen here.")
			}
		}
	case "eventTrigger", "trigger":
		return refuse("Of the triggers, resourceTrigger is supported here.")
	case "identifier", "derivedFrom", "experimental", "date", "publisher", "contact", "description", "useContext", "jurisdiction",
		"purpose", "copyright", "approvalDate", "lastReviewDate", "effectivePeriod":
	default:
		return refuse("A SubscriptionTopic has an extension that is not an element of it.")
	}
	return nil
}

// typeOf reads a resource type, by its name or its URL.
func typeOf(e rawjson.Node, d *conformance.Definitions) (string, error) {
	typ := strings.TrimPrefix(value(e), "http://hl7.org/fhir/StructureDefinition/")
	if !d.IsResourceType(typ) {
		return "", refuse("resource must be the name or the URL of a resource type of R4.")
	}
	return typ, nil
}

func trigger(e rawjson.Node, d *conformance.Definitions) (Definition, error) {
	var def Definition
	for part := range list(e, "extension") {
		var err error
		switch text(part, "url") {
		case "description":
		case "resource":
			def.Type, err = typeOf(part, d)
		case "supportedInteraction":
			switch value(part) {
			case "create":
				def.Create = true
			case "update":
				def.Update = true
			case "delete":
				def.Delete = true
			default:
				err = refuse("supportedInteraction must be create, update or delete.")
			}
		case "queryCriteria":
			err = def.query(part)
		case "fhirPathCriteria":
			def.Path = value(part)
		default:
			err = refuse("resourceTrigger has a part that is not known here.")
		}
		if err != nil {
			return def, err
		}
	}
	if def.Type == "" {
		return def, refuse("resourceTrigger needs a resource.")
	}
	if !def.Create && !def.Update && !def.Delete {
		def.Create, def.Update, def.Delete = true, true, true
	}
	return def, nil
}

func (def *Definition) query(e rawjson.Node) error {
	for part := range list(e, "extension") {
		switch name := text(part, "url"); name {
		case "previous":
			def.Previous = value(part)
		case "current":
			def.Current = value(part)
		case "requireBoth":
			v, _ := part.Member("valueBoolean")
			def.RequireBoth = string(v.Raw()) == "true"
		case "resultForCreate", "resultForDelete":
			passes := value(part) == "test-passes"
			if !passes && value(part) != "test-fails" {
				return refuse(name + " must be test-passes or test-fails.")
			}
			if name == "resultForCreate" {
				def.PassesOnCreate = passes
			} else {
				def.PassesOnDelete = passes
			}
		default:
			return refuse("queryCriteria has a part that is not known here.")
		}
	}
	return nil
}

func (t *Topic) filter(e rawjson.Node, d *conformance.Definitions) error {
	typ, parameter := "", ""
	for part := range list(e, "extension") {
		var err error
		switch text(part, "url") {
		case "resource":
			typ, err = typeOf(part, d)
		case "filterParameter":
			parameter = value(part)
		case "description", "filterDefinition", "comparator", "modifier":
		default:
			err = refuse("canFilterBy has a part that is not known here.")
		}
		if err != nil {
			return err
		}
	}
	if parameter == "" {
		return refuse("canFilterBy needs a filterParameter.")
	}
	if typ != "" {
		parameter = typ + "." + parameter
	}
	t.Filters = append(t.Filters, parameter)
	return nil
}

// refuse words what is wrong with a topic.
func refuse(why string) error {
	return outcome.New(http.StatusUnprocessableEntity, outcome.CodeNotSupported, "%s", why).At("Basic.extension")
}

func text(n rawjson.Node, name string) string {
	m, _ := n.Member(name)
	return m.String()
}

func list(n rawjson.Node, name string) func(yield func(rawjson.Node) bool) {
	m, _ := n.Member(name)
	return m.Elements()
}

// value is the value of an extension that is a string of any type.
func value(e rawjson.Node) string {
	for m := range e.Members() {
		if strings.HasPrefix(m.Name(), "value") {
			return m.String()
		}
	}
	return ""
}

// Stored are the topics that a tenant has added, before those of another
// catalog.
type Stored struct {
	Repository *repository.Repository
	Others     BuiltIn
}

// mostTopics is how many topics a tenant may add.
const mostTopics = 1000

// Topic finds a topic by its canonical.
func (s Stored) Topic(ctx context.Context, t store.Tenant, canonical string) (Topic, error) {
	found, err := s.Others.Topic(ctx, t, canonical)
	if !errors.Is(err, store.ErrNotFound) {
		return found, err
	}
	url, version, _ := strings.Cut(canonical, "|")
	all, err := s.all(ctx, t)
	if err != nil {
		return Topic{}, err
	}
	for _, found := range all {
		if found.URL == url && (version == "" || version == found.Version) {
			return found, nil
		}
	}
	return Topic{}, store.ErrNotFound
}

// all are the topics added that are in use, the latest first.
func (s Stored) all(ctx context.Context, t store.Tenant) ([]Topic, error) {
	req, err := s.Repository.Parse(ctx, t, repository.Scope{Type: "Basic"}, []search.Parameter{{Name: "code", Value: typesSystem + "|" + typeCode}})
	if err != nil {
		return nil, err
	}
	docs, err := s.Repository.Matching(ctx, t, req.Where, mostTopics)
	if err != nil {
		return nil, err
	}
	var topics []Topic
	for _, doc := range slices.Backward(docs) {
		parsed, err := rawjson.Parse(doc.Body, nil)
		if err != nil {
			return nil, err
		}
		// Those written before topics were looked at may be none.
		if found, err := Parse(parsed.Root(), s.Repository.Definitions()); err == nil && !found.retired {
			topics = append(topics, found)
		}
	}
	return topics, nil
}

// List lists the canonicals that a tenant's Subscriptions may name.
func (s Stored) List(ctx context.Context, t store.Tenant) ([]string, error) {
	topics, err := s.all(ctx, t)
	if err != nil {
		return nil, err
	}
	var canonicals []string
	for _, topic := range topics {
		if !slices.Contains(canonicals, topic.URL) {
			canonicals = append(canonicals, topic.URL)
		}
	}
	return append(canonicals, s.Others.List()...), nil
}

// Admit refuses a Basic that is a SubscriptionTopic which cannot be used (see
// repository.Admission).
func (c *Compiler) Admit(ctx context.Context, t store.Tenant, _ store.Ref, basic rawjson.Node) ([]byte, error) {
	if !IsTopic(basic) {
		return nil, nil
	}
	topic, err := Parse(basic, c.Repository.Definitions())
	if err != nil {
		return nil, err
	}
	for _, d := range topic.Triggers {
		if _, err := c.Trigger(ctx, t, d); err != nil {
			return nil, at(err, "Basic.extension")
		}
	}
	return nil, nil
}
