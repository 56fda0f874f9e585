<?php // A scheduling platform in PHP, with Eloquent. usage: php php_eloquent.php /var/lib/usher/usher.db
require 'Illuminate/Database/autoload.php'; // of Debian's php-illuminate-database; Laravel has its own

use Illuminate\Database\{Capsule\Manager as DB, Connectors\SQLiteConnector, Eloquent\Model, QueryException};

class ImmediatePdo extends PDO { // PDO's own transactions are not IMMEDIATE
    public function beginTransaction(): bool { return $this->exec('BEGIN IMMEDIATE') !== false; }
    public function commit(): bool { return $this->exec('COMMIT') !== false; }
    public function rollBack(): bool { return $this->exec('ROLLBACK') !== false; }
}
class ImmediateConnector extends SQLiteConnector {
    protected function createPdoConnection($dsn, ...$rest) { return new ImmediatePdo($dsn, ...$rest); }
}

$db = new DB;
// Waits 5 s for locks. Laravel 12 on PHP 8.4 has 'transaction_mode' => 'IMMEDIATE'; before, this has its BEGIN say so.
$db->addConnection(['driver' => 'sqlite', 'database' => $argv[1], 'options' => [PDO::ATTR_TIMEOUT => 5]]);
$db->getContainer()->bind('db.connector.sqlite', ImmediateConnector::class);
$db->setAsGlobal();
$db->bootEloquent();

class Meeting extends Model {
    protected $table = 'meeting';
    protected $keyType = 'string'; // the key is text that we give
    public $incrementing = false, $timestamps = false;
    protected $guarded = [];
}
class Participant extends Model { // id is a key without meaning; the person is participant_id
    protected $table = 'participant';
    public $timestamps = false;
    protected $guarded = [];
}

function await($query) {
    for ($until = microtime(true) + 60; microtime(true) < $until; usleep(50000))
        if ($row = $query->first())
            return (array) $row;
    exit('nothing came: ' . json_encode(DB::table('usher_status')->first()) . "\n");
}
$credential = fn($person) => DB::table('join_credential')->select('project_key', 'session_id', 'token')
    ->where(['meeting_id' => 'eloquent-1', 'participant_id' => $person]);

$startsAt = time() + 600; // whole Unix seconds, UTC
try {
    Meeting::create(['id' => 'eloquent-0', 'starts_at' => $startsAt * 1000, 'ends_at' => $startsAt]);
} catch (QueryException $error) {
    echo 'refused: ', $error->getMessage(), "\n";
}

$seen = DB::table('meeting_status')->max('seq') ?? 0; // 64 bits
DB::connection()->transaction(function () use ($startsAt) {
    foreach (['eloquent-1', 'eloquent-2'] as $id) { // two meetings that share a person
        Meeting::updateOrCreate(['id' => $id], ['title' => 'Stand-up', 'status' => 'scheduled',
            'starts_at' => $startsAt, 'ends_at' => $startsAt + 900]);
        foreach (['7' => 'publisher', 'bob' => 'subscriber'] as $person => $role) // PHP makes the key '7' a number
            Participant::updateOrCreate(['meeting_id' => $id, 'participant_id' => (string) $person], ['role' => $role]);
    }
    DB::table('block')->where('meeting_id', 'eloquent-1')->delete();
});
echo 'credential: ', implode(' ', await($credential('7'))), "\n";

$both = Participant::where('participant_id', '7')->whereIn('meeting_id', ['eloquent-1', 'eloquent-2']);
[$person, $other] = $both->orderBy('meeting_id')->get();
$person->update(['role' => 'moderator']);
await($credential('7')->where('role', 'moderator'));
echo 'role: moderator; in the other meeting: ', $other->fresh()->role, "\n";
$other->delete();
echo 'left after a delete: ', $both->count(), "\n";

DB::table('block')->insert(['meeting_id' => 'eloquent-1', 'participant_id' => 'bob', 'reason' => 'asked to leave']);
echo 'blocked: ', $credential('bob')->value('token') ?? 'none', "\n";
$id = DB::table('request')->insertGetId(['action' => 'rotate', 'meeting_id' => 'eloquent-1']);
$result = await(DB::table('request_status')->where('id', $id)->whereNotNull('done_at'));
echo "request: $result[state]\n";

foreach (DB::table('meeting_status')->where('seq', '>', $seen)->orderBy('seq')->get() as $row)
    echo "changed: $row->meeting_id $row->state $row->seq\n";

Meeting::find('eloquent-1')->update(['status' => 'cancelled']);
echo 'cancelled: ', $credential('7')->value('token') ?? 'none', "\n";
