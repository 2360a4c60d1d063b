-- Times are text, RFC 3339 in UTC with microseconds: they sort, and people can read them.
-- Bodies are JSON; the narrow columns before them are what is counted inside the database.

CREATE TABLE scan (
    id $identity,
    started_at TEXT NOT NULL,
    finished_at TEXT,
    caller TEXT NOT NULL,
    days INTEGER NOT NULL,
    role_name TEXT
);

-- One look at one kind of thing in one cell. It counts from the moment it is ended.
CREATE TABLE reading (
    id $identity,
    scan BIGINT NOT NULL REFERENCES scan (id),
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    what TEXT NOT NULL,
    source TEXT NOT NULL,
    observed_at TEXT NOT NULL,
    whole SMALLINT NOT NULL,
    ended SMALLINT NOT NULL DEFAULT 0,
    complete SMALLINT NOT NULL DEFAULT 0,
    items BIGINT NOT NULL DEFAULT 0,
    why TEXT
);

CREATE INDEX reading_scan ON reading (scan);

CREATE TABLE evidence (
    id $identity,
    reading BIGINT NOT NULL REFERENCES reading (id),
    subject TEXT NOT NULL,
    name TEXT,
    parent TEXT,
    state TEXT,
    posture TEXT,
    pending SMALLINT,
    v1_total BIGINT,
    rejected_total BIGINT,
    first_day TEXT,
    last_day TEXT,
    body $bytes NOT NULL,
    UNIQUE (reading, subject)
);

-- The newest whole reading of each kind in each cell.
CREATE TABLE view_base (
    what TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    reading BIGINT NOT NULL REFERENCES reading (id),
    PRIMARY KEY (what, account, region)
) $clustered;

-- What was looked at singly since: it lies over the base.
CREATE TABLE view_patch (
    what TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    subject TEXT NOT NULL,
    reading BIGINT NOT NULL REFERENCES reading (id),
    evidence BIGINT NOT NULL REFERENCES evidence (id),
    PRIMARY KEY (what, account, region, subject)
) $clustered;

-- Deleting old readings and evidence looks here for what still counts.
CREATE INDEX view_base_reading ON view_base (reading);
CREATE INDEX view_patch_reading ON view_patch (reading);
CREATE INDEX view_patch_evidence ON view_patch (evidence);

CREATE VIEW current_evidence AS
SELECT
    e.id, e.reading, b.what, b.account, b.region, r.source, r.observed_at, e.subject, e.name,
    e.parent, e.state, e.posture, e.pending, e.v1_total, e.rejected_total, e.first_day, e.last_day,
    e.body
FROM view_base b
JOIN reading r ON r.id = b.reading
JOIN evidence e ON e.reading = b.reading
WHERE NOT EXISTS (
    SELECT 1 FROM view_patch p
    WHERE p.what = b.what AND p.account = b.account AND p.region = b.region
        AND p.subject = e.subject AND p.reading > b.reading
)
UNION ALL
SELECT
    e.id, e.reading, p.what, p.account, p.region, r.source, r.observed_at, e.subject, e.name,
    e.parent, e.state, e.posture, e.pending, e.v1_total, e.rejected_total, e.first_day, e.last_day,
    e.body
FROM view_patch p
JOIN evidence e ON e.id = p.evidence
JOIN reading r ON r.id = p.reading
WHERE NOT EXISTS (
    SELECT 1 FROM view_base b
    WHERE b.what = p.what AND b.account = p.account AND b.region = p.region
        AND b.reading >= p.reading
);

CREATE TABLE verdict_set (
    id $identity,
    key TEXT NOT NULL,
    saved_at TEXT NOT NULL,
    ready SMALLINT NOT NULL DEFAULT 0
);

CREATE TABLE verdict (
    verdict_set BIGINT NOT NULL REFERENCES verdict_set (id),
    number INTEGER NOT NULL,
    resource TEXT NOT NULL,
    status TEXT NOT NULL,
    body $bytes NOT NULL,
    PRIMARY KEY (verdict_set, number)
);

CREATE TABLE plan (
    digest TEXT PRIMARY KEY,
    created_at TEXT NOT NULL,
    body $bytes NOT NULL
);

CREATE TABLE run (
    number $identity,
    id TEXT NOT NULL UNIQUE,
    digest TEXT NOT NULL REFERENCES plan (digest),
    started_at TEXT NOT NULL,
    last_seq BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE journal (
    run TEXT NOT NULL REFERENCES run (id),
    seq BIGINT NOT NULL,
    at TEXT NOT NULL,
    event TEXT NOT NULL,
    subject TEXT NOT NULL,
    body $bytes NOT NULL,
    PRIMARY KEY (run, seq)
);

-- The entries about the run itself are few, and a list of runs needs no others.
CREATE INDEX journal_run_state ON journal (run, seq) WHERE subject = '';
