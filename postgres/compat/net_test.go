package compat_test

import (
	"strings"
	"testing"

	"sofiacall.com/bluegreen/postgres/compat"
	"sofiacall.com/bluegreen/switcher"
)

const dumped = `--
-- PostgreSQL database dump
--

\restrict abcdef

SET statement_timeout = 0;

--
-- Name: users; Type: TABLE; Schema: public; Owner: owner
--

CREATE TABLE public.users (
    id integer NOT NULL,
    email text,
    CONSTRAINT users_id CHECK ((id > 0))
);


ALTER TABLE public.users OWNER TO owner;

--
-- Name: users users_pkey; Type: CONSTRAINT; Schema: public; Owner: owner
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);


--
-- Name: TABLE users; Type: ACL; Schema: public; Owner: owner
--

GRANT SELECT ON TABLE public.users TO app;


--
-- PostgreSQL database dump complete
--

\unrestrict abcdef
`

func TestALineThatDisappearsFromADumpBlocksUnlessAFindingTellsWhy(t *testing.T) {
	finding := func(code, object string) switcher.SchemaFinding {
		return switcher.SchemaFinding{Code: code, Object: object}
	}
	added := func(header, text string) string { return dumped + "\n-- Name: " + header + "\n\n" + text + "\n" }
	for _, c := range []struct {
		name, after string
		told        []switcher.SchemaFinding
		want        string // object; empty: nothing
	}{
		{"nothing", dumped, nil, ""},
		{"another random word", strings.ReplaceAll(dumped, "abcdef", "ghijkl"), nil, ""},
		{"a column dropped", strings.Replace(dumped, "    email text,\n", "", 1), nil, "public.users"},
		{"a column dropped, told", strings.Replace(dumped, "    email text,\n", "", 1), []switcher.SchemaFinding{finding("column_dropped", "public.users.email")}, ""},
		{"a column dropped, another told", strings.Replace(dumped, "    email text,\n", "", 1), []switcher.SchemaFinding{finding("column_dropped", "public.users.id")}, "public.users"},
		{"a column dropped, a grant told", strings.Replace(dumped, "    email text,\n", "", 1), []switcher.SchemaFinding{finding("grants_changed", "public.users")}, "public.users"},
		{"a column renamed", strings.Replace(dumped, "    id integer NOT NULL,\n", "    number integer NOT NULL,\n", 1), []switcher.SchemaFinding{
			{Code: "column_renamed", Object: "public.users.id", What: "column public.users.id is renamed to number"}}, ""},
		{"a column renamed, another told", strings.Replace(dumped, "    email text,\n", "    email text,\n    number integer NOT NULL,\n", 1), []switcher.SchemaFinding{
			{Code: "column_renamed", Object: "public.users.id", What: "column public.users.id is renamed to key"}}, "public.users"},
		{"a column added", strings.Replace(dumped, "    email text,\n", "    email text,\n    name text,\n", 1), nil, ""},
		{"a constraint dropped", strings.Replace(dumped, "    email text,\n    CONSTRAINT users_id CHECK ((id > 0))\n", "    email text\n", 1), nil, "public.users"},
		{"a grant gone", strings.Replace(dumped, "GRANT SELECT ON TABLE public.users TO app;", "", 1), nil, "public.users"},
		{"a grant gone, told", strings.Replace(dumped, "GRANT SELECT ON TABLE public.users TO app;", "", 1), []switcher.SchemaFinding{finding("privilege_revoked", "public.users")}, ""},
		{"a rule added", added("users r; Type: RULE; Schema: public; Owner: owner", "CREATE RULE r AS ON INSERT TO public.users DO INSTEAD NOTHING;"), nil, "public.users.r"},
		{"a rule added, told", added("users r; Type: RULE; Schema: public; Owner: owner", "CREATE RULE r AS ON INSERT TO public.users DO INSTEAD NOTHING;"), []switcher.SchemaFinding{finding("rule_added", "public.users.r")}, ""},
		{"a trigger on a new table", added("pets t; Type: TRIGGER; Schema: public; Owner: owner", "CREATE TRIGGER t BEFORE INSERT ON public.pets;"), nil, ""},
		{"a comment added", added("TABLE users; Type: COMMENT; Schema: public; Owner: owner", "COMMENT ON TABLE public.users IS 'x';"), nil, ""},
		{"everything of a table gone with it", "", []switcher.SchemaFinding{finding("table_dropped", "public.users")}, ""},
	} {
		found := compat.Unexplained(dumped, c.after, c.told)
		switch {
		case c.want == "" && len(found) > 0:
			t.Errorf("%s: %+v", c.name, found)
		case c.want != "" && (len(found) != 1 || found[0].Object != c.want || found[0].Code != "unclassified" || !found[0].Stops()):
			t.Errorf("%s: want a block of %s, got %+v", c.name, c.want, found)
		}
	}
}
