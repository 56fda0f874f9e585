# A scheduling platform in Perl, with DBI. usage: perl perl_dbi.pl /var/lib/usher/usher.db
use strict;
use warnings;
use DBI qw(:sql_types);
use Time::HiRes qw(sleep time);

# Waits 5 s for locks; begin_work says BEGIN IMMEDIATE.
my $db = DBI->connect("dbi:SQLite:dbname=$ARGV[0]", '', '',
    {RaiseError => 1, PrintError => 0, AutoCommit => 1, sqlite_use_immediate_transaction => 1});
$db->sqlite_busy_timeout(5000);
my $meeting = 'perl-1';
my $starts_at = int(time) + 600;    # whole Unix seconds, UTC

sub run {    # a reference is bound as an integer; ids are text, also when they look like numbers
    my ($sql, @values) = @_;
    my $statement = $db->prepare($sql);
    for my $i (0 .. $#values) {
        my $value = $values[$i];
        $statement->bind_param($i + 1, ref $value ? ($$value, SQL_INTEGER) : ($value, SQL_VARCHAR));
    }
    $statement->execute;
    return $statement->{NUM_OF_FIELDS} ? @{$statement->fetchall_arrayref} : ();
}
sub write_all {
    my ($work) = @_;
    $db->begin_work;
    eval { $work->(); $db->commit; 1 } or do { my $error = $@; $db->rollback; die $error };
}
sub await {
    my ($sql, @values) = @_;
    for (my $until = time + 60; time < $until; sleep 0.05) {
        my ($row) = run($sql, @values);
        return @$row if $row;
    }
    die 'nothing came: ', join(' ', map { $_ // '' } @{(run('SELECT * FROM usher_status'))[0]}), "\n";
}
sub person {
    run('INSERT INTO participant (meeting_id, participant_id, role) VALUES (?, ?, ?)
         ON CONFLICT (meeting_id, participant_id) DO UPDATE SET role = excluded.role', $meeting, @_);
}

my ($late, $end) = ($starts_at * 1000, $starts_at + 900);
eval { run('INSERT INTO meeting (id, starts_at, ends_at) VALUES (?, ?, ?)', $meeting, \$late, \$end) };
print "refused: $@" =~ s/ at .*//sr, "\n";

my ($seen) = @{(run('SELECT COALESCE(max(seq), 0) FROM meeting_status'))[0]};    # 64 bits
write_all(sub {
    run("INSERT INTO meeting (id, title, starts_at, ends_at) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
         starts_at = excluded.starts_at, ends_at = excluded.ends_at, status = 'scheduled'",
        $meeting, 'Stand-up', \$starts_at, \$end);
    run('DELETE FROM block WHERE meeting_id = ?', $meeting);
    person('7', 'publisher');
    person('bob', 'subscriber');
});
my $credential = 'SELECT project_key, session_id, token FROM join_credential
                   WHERE meeting_id = ? AND participant_id = ?';
print "credential: @{[await($credential, $meeting, '7')]}\n";

person('7', 'moderator');    # one statement is a transaction
await("$credential AND role = 'moderator'", $meeting, '7');
print "role: moderator\n";

run("INSERT INTO block (meeting_id, participant_id, reason) VALUES (?, 'bob', 'asked to leave')", $meeting);
print 'blocked: ', run($credential, $meeting, 'bob') ? 'still shown' : 'none', "\n";

run("INSERT INTO request (action, meeting_id, requested_by) VALUES ('rotate', ?, 'perl')", $meeting);
my $request = $db->sqlite_last_insert_rowid;
my ($state) = await("SELECT state FROM request_status WHERE id = ? AND done_at IS NOT NULL", \$request);
print "request: $state\n";

for my $row (run('SELECT meeting_id, state, seq FROM meeting_status WHERE seq > ? ORDER BY seq', \$seen)) {
    print "changed: @$row\n";
}

run("UPDATE meeting SET status = 'cancelled' WHERE id = ?", $meeting);
print 'cancelled: ', run($credential, $meeting, '7') ? 'still shown' : 'none', "\n";
