package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// settle brings what the server has printed into the form in which it is kept.
func (s *Schema) settle() {
	for name, table := range s.Tables {
		settleColumns(table.Columns)
		settleConstraints(table.Constraints)
		settleIndexes(table.Indexes)
		for key, policy := range table.Policies {
			policy.Using, policy.Check = canonical(policy.Using), canonical(policy.Check)
			table.Policies[key] = policy
		}
		settleTriggers(table.Triggers)
		settleRules(table.Rules)
		table.PartitionKey = canonical(table.PartitionKey)
		s.Tables[name] = table
	}
	for name, view := range s.Views {
		settleColumns(view.Columns)
		settleIndexes(view.Indexes)
		settleTriggers(view.Triggers)
		settleRules(view.Rules)
		view.Definition = canonical(view.Definition)
		slices.Sort(view.Options)
		s.Views[name] = view
	}
	for name, domain := range s.Domains {
		domain.Default = canonical(domain.Default)
		settleConstraints(domain.Constraints)
		s.Domains[name] = domain
	}
	for _, composite := range s.Composites {
		settleColumns(composite.Fields)
	}
	for name, function := range s.Functions {
		for i := range function.Arguments {
			function.Arguments[i].Default = canonical(function.Arguments[i].Default)
		}
		if strings.EqualFold(function.Language, "sql") {
			function.Body = canonical(function.Body)
		}
		function.Stars = stars(function.Body)
		digest := sha256.Sum256([]byte(function.Body))
		function.Body = hex.EncodeToString(digest[:])
		slices.Sort(function.Settings)
		s.Functions[name] = function
	}
	for name, publication := range s.Publications {
		publication.Definition = canonical(publication.Definition)
		s.Publications[name] = publication
	}
	for key, definition := range s.Others {
		s.Others[key] = canonical(definition)
	}
}

func settleColumns(columns []Column) {
	slices.SortFunc(columns, func(a, b Column) int { return int(a.Number) - int(b.Number) })
	for i := range columns {
		columns[i].Default = canonical(columns[i].Default)
	}
}

func settleConstraints(constraints map[string]Constraint) {
	for name, constraint := range constraints {
		constraint.Definition = canonical(constraint.Definition)
		constraints[name] = constraint
	}
}

func settleIndexes(indexes map[string]Index) {
	for name, index := range indexes {
		index.Definition, index.Predicate = canonical(index.Definition), canonical(index.Predicate)
		for i := range index.Columns {
			index.Columns[i] = canonical(index.Columns[i])
		}
		indexes[name] = index
	}
}

func settleTriggers(triggers map[string]Trigger) {
	for name, trigger := range triggers {
		trigger.Definition = canonical(trigger.Definition)
		triggers[name] = trigger
	}
}

func settleRules(rules map[string]Rule) {
	for name, rule := range rules {
		rule.Definition = canonical(rule.Definition)
		rules[name] = rule
	}
}
