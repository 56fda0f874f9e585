<?php // What a scheduling platform does, in PHP: one write, one read. usage: php platform.php /var/lib/usher/usher.db
$db = new PDO("sqlite:$argv[1]", null, null, [PDO::ATTR_TIMEOUT => 5, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
$startsAt = time() + 600; // whole Unix seconds, UTC

$db->exec('BEGIN IMMEDIATE');
$db->prepare('INSERT INTO meeting (id, title, starts_at, ends_at) VALUES (?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET starts_at = excluded.starts_at, ends_at = excluded.ends_at')
    ->execute(['php-1', 'Stand-up', $startsAt, $startsAt + 900]);
$db->prepare('INSERT INTO participant (meeting_id, participant_id, role) VALUES (?, ?, ?)
    ON CONFLICT (meeting_id, id) DO UPDATE SET role = excluded.role')->execute(['php-1', 'speaker-1', 'moderator']);
$db->exec('COMMIT');

// At the door. No row: not ready yet, cancelled or over; the view meeting_status says which.
$door = $db->prepare('SELECT project_key, session_id, token FROM join_credential
    WHERE meeting_id = ? AND participant_id = ?');
$door->execute(['php-1', 'speaker-1']);
echo json_encode($door->fetch(PDO::FETCH_ASSOC)), "\n";
