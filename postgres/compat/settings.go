package compat

import (
	"fmt"
	"slices"
	"strings"
)

// harmless settings change how fast a statement is, or what is logged.
var harmlessSettings = []string{
	"log_", "enable_", "random_page_cost", "seq_page_cost", "cpu_", "work_mem", "maintenance_work_mem", "hash_mem_multiplier", "jit", "parallel_", "max_parallel",
	"min_parallel", "effective_", "track_", "auto_explain.", "pg_stat_statements.", "client_min_messages", "from_collapse_limit", "join_collapse_limit", "geqo",
	"plan_cache_mode", "default_statistics_target", "application_name", "temp_buffers", "debug_", "autovacuum", "vacuum_", "cursor_tuple_fraction", "constraint_exclusion",
	"synchronous_commit", "commit_", "wal_", "tcp_", "gin_", "stats_fetch", "logical_decoding_work_mem", "compute_query_id", "deadlock_timeout", "default_toast_compression",
}

// others change what a statement means, or end it.
var reviewedSettings = []string{
	"timezone", "datestyle", "intervalstyle", "lc_", "extra_float_digits", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout",
	"transaction_timeout", "default_transaction_isolation", "default_transaction_deferrable", "default_text_search_config", "default_tablespace", "default_table_access_method",
	"temp_tablespaces", "xmlbinary", "xmloption", "array_nulls", "bytea_output", "standard_conforming_strings", "escape_string_warning", "transform_null_equals",
	"check_function_bodies", "row_security", "password_encryption", "client_encoding", "timezone_abbreviations", "backslash_quote", "quote_all_identifiers", "temp_file_limit",
}

// settings judges those of the database and of the app's role in it. New
// sessions have them.
func (c *comparer) settings() {
	keys := map[string]bool{}
	put(keys, c.old.Settings)
	put(keys, c.new.Settings)
	for _, key := range sorted(keys) {
		old, was := c.old.Settings[key]
		new, is := c.new.Settings[key]
		role, name, _ := strings.Cut(key, "/")
		if old == new && was == is || name == "search_path" && c.concernsRole(role) {
			continue // what a path leads to tells
		}
		shown := fmt.Sprintf("%s is set to %q", name, new)
		if !is {
			shown = fmt.Sprintf("%s is no longer set", name)
		}
		if strings.Contains(name, ".") && is {
			shown = fmt.Sprintf("%s is set", name)
		}
		c.setting("setting "+key, strings.ToLower(name), new, shown, was, is, c.concernsRole(role))
	}
}

func (c *comparer) concernsRole(role string) bool {
	return role == "" || c.Role == "" || role == c.Role
}

func (c *comparer) setting(object, name, value, what string, was, is, concerns bool) {
	remedy := "change it as a contract step, or set it in the sessions that need it"
	prefix := func(p string) bool { return strings.HasPrefix(name, p) }
	custom := strings.Contains(name, ".")
	switch {
	case !concerns:
		c.pass("setting_changed", object, what+", which is not a setting of the app's role")
	case slices.ContainsFunc(harmlessSettings, prefix):
		c.pass("setting_changed", object, what)
	case (name == "default_transaction_read_only" || name == "transaction_read_only") && (value == "off" || !is):
		c.pass("setting_changed", object, what)
	case name == "role" || name == "session_replication_role" || strings.HasSuffix(name, "transaction_read_only") || name == "row_security" || name == "client_encoding" || strings.HasPrefix(name, "session_preload") || strings.HasPrefix(name, "local_preload"):
		c.block("setting_changed", object, what, "statements of the running version are refused, or mean something else, from its next connection on", remedy)
	case slices.ContainsFunc(reviewedSettings, prefix):
		c.data("setting_changed", object, what, "from its next connection on, statements of the running version may be ended, or mean something else", remedy)
	case custom && !was:
		c.warn("setting_changed", object, what, "what reads it by current_setting finds it")
	case custom && is:
		c.data("setting_changed", object, what+" to something else", "what reads it by current_setting, policies and functions too, finds another value", remedy)
	case custom:
		c.block("setting_changed", object, what, "current_setting of it fails (42704), in policies and functions too", remedy)
	default:
		c.block("unclassified", object, what, "nobody can tell what the running version makes of it", lookAt)
	}
}
