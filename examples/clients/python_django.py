# A scheduling platform in Django. usage: python3 python_django.py /var/lib/usher/usher.db
import django, sys, time
from django.conf import settings
from django.db import IntegrityError, connection, models, transaction

settings.configure(USE_TZ=False, DATABASES={"default": {  # waits 5 s for locks
    "ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1], "OPTIONS": {"timeout": 5}}})
django.setup()
# Django 5.1 has "transaction_mode": "IMMEDIATE" in OPTIONS. Before, this has its BEGIN say so.
connection._start_transaction_under_autocommit = lambda: connection.cursor().execute("BEGIN IMMEDIATE")


class Meeting(models.Model):  # managed = False: migrations leave usher's tables alone
    id = models.CharField(max_length=255, primary_key=True)
    starts_at, ends_at = models.BigIntegerField(), models.BigIntegerField()  # whole Unix seconds, UTC
    status = models.CharField(max_length=9, default="scheduled")

    class Meta:
        app_label, db_table, managed = "usher", "meeting", False


class Participant(models.Model):
    id = models.BigAutoField(primary_key=True)  # a key without meaning; the person is participant_id
    meeting = models.ForeignKey(Meeting, models.DO_NOTHING, db_constraint=False)
    participant_id = models.CharField(max_length=255)
    role = models.CharField(max_length=13)

    class Meta:
        app_label, db_table, managed = "usher", "participant", False


def ask(sql, *values):
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else cursor.lastrowid


def wait(sql, *values):
    for _ in range(1200):
        if rows := ask(sql, *values):
            return rows[0]
        time.sleep(0.05)
    sys.exit(f"nothing came: {ask('SELECT * FROM usher_status')}")


starts_at = int(time.time()) + 600
try:
    Meeting.objects.create(id="django-0", starts_at=starts_at * 1000, ends_at=starts_at)
except IntegrityError as error:
    print("refused:", error)

seen = ask("SELECT COALESCE(max(seq), 0) FROM meeting_status")[0][0]  # 64 bits
with transaction.atomic():
    for id in ("django-1", "django-2"):  # two meetings that share a person
        times = {"starts_at": starts_at, "ends_at": starts_at + 900}
        Meeting.objects.update_or_create(id=id, defaults={**times, "status": "scheduled"})
        for name, role in (("7", "publisher"), ("bob", "subscriber")):
            Participant.objects.update_or_create(meeting_id=id, participant_id=name, defaults={"role": role})
    ask("DELETE FROM block WHERE meeting_id = 'django-1'")
credential = "SELECT project_key, session_id, token FROM join_credential WHERE meeting_id = %s AND participant_id = %s"
print("credential:", *wait(credential, "django-1", "7"))
both = Participant.objects.filter(participant_id="7", meeting__in=["django-1", "django-2"]).order_by("meeting")
person, other = both
person.role = "moderator"
person.save()
wait(credential + " AND role = 'moderator'", "django-1", "7")
print("role: moderator; in the other meeting:", both.all()[1].role)
other.delete()
print("left after a delete:", both.all().count())

ask("INSERT INTO block (meeting_id, participant_id, reason) VALUES ('django-1', 'bob', 'asked to leave')")
print("blocked:", *ask(credential, "django-1", "bob") or ["none"])
request = ask("INSERT INTO request (action, meeting_id, requested_by) VALUES ('rotate', 'django-1', 'django')")
print("request:", *wait("SELECT state FROM request_status WHERE id = %s AND done_at IS NOT NULL", request))

for row in ask("SELECT meeting_id, state, seq FROM meeting_status WHERE seq > %s ORDER BY seq", seen):
    print("changed:", *row)

Meeting.objects.filter(id="django-1").update(status="cancelled")
print("cancelled:", *ask(credential, "django-1", "7") or ["none"])
