<?php // A scheduling platform in PHP, with PDO. usage: php php_pdo.php /var/lib/usher/usher.db
// Waits 5 s for locks. PDO's own beginTransaction() is not IMMEDIATE, so BEGIN is said by hand.
$db = new PDO("sqlite:$argv[1]", null, null, [PDO::ATTR_TIMEOUT => 5, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
    PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_NUM]);
$meeting = 'php-1';
$startsAt = time() + 600; // whole Unix seconds, UTC

function run($sql, ...$values) {
    global $db;
    $statement = $db->prepare($sql);
    foreach ($values as $i => $value) // ids are text, also when they look like numbers
        $statement->bindValue($i + 1, $value, is_int($value) ? PDO::PARAM_INT : PDO::PARAM_STR);
    $statement->execute();
    return $statement->fetchAll();
}
function write(callable $work) {
    global $db;
    $db->exec('BEGIN IMMEDIATE');
    try {
        $work();
        $db->exec('COMMIT');
    } catch (Throwable $error) {
        $db->exec('ROLLBACK');
        throw $error;
    }
}
function await($sql, ...$values) {
    for ($until = microtime(true) + 60; microtime(true) < $until; usleep(50000))
        if ($rows = run($sql, ...$values))
            return $rows[0];
    exit('nothing came: ' . json_encode(run('SELECT * FROM usher_status')) . "\n");
}
function person($name, $role) {
    global $meeting;
    run('INSERT INTO participant (meeting_id, participant_id, role) VALUES (?, ?, ?)
         ON CONFLICT (meeting_id, participant_id) DO UPDATE SET role = excluded.role', $meeting, $name, $role);
}

try {
    run('INSERT INTO meeting (id, starts_at, ends_at) VALUES (?, ?, ?)', $meeting, $startsAt * 1000, $startsAt);
} catch (PDOException $error) {
    echo 'refused: ', $error->getMessage(), "\n";
}

[[$seen]] = run('SELECT COALESCE(max(seq), 0) FROM meeting_status'); // 64 bits
write(function () use ($meeting, $startsAt) {
    run("INSERT INTO meeting (id, title, starts_at, ends_at) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
         starts_at = excluded.starts_at, ends_at = excluded.ends_at, status = 'scheduled'",
        $meeting, 'Stand-up', $startsAt, $startsAt + 900);
    run('DELETE FROM block WHERE meeting_id = ?', $meeting);
    person('7', 'publisher');
    person('bob', 'subscriber');
});
$credential = 'SELECT project_key, session_id, token FROM join_credential WHERE meeting_id = ? AND participant_id = ?';
echo 'credential: ', implode(' ', await($credential, $meeting, '7')), "\n";

person('7', 'moderator'); // one statement is a transaction
await("$credential AND role = 'moderator'", $meeting, '7');
echo "role: moderator\n";

run("INSERT INTO block (meeting_id, participant_id, reason) VALUES (?, 'bob', 'asked to leave')", $meeting);
echo 'blocked: ', run($credential, $meeting, 'bob') ? 'still shown' : 'none', "\n";

run("INSERT INTO request (action, meeting_id, requested_by) VALUES ('rotate', ?, 'php')", $meeting);
$request = (int) $db->lastInsertId();
[$state] = await("SELECT state FROM request_status WHERE id = ? AND done_at IS NOT NULL", $request);
echo "request: $state\n";

foreach (run('SELECT meeting_id, state, seq FROM meeting_status WHERE seq > ? ORDER BY seq', $seen) as $row)
    echo 'changed: ', implode(' ', $row), "\n";

run("UPDATE meeting SET status = 'cancelled' WHERE id = ?", $meeting);
echo 'cancelled: ', run($credential, $meeting, '7') ? 'still shown' : 'none', "\n";
