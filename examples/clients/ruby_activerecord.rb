# A scheduling platform in Ruby, with ActiveRecord. usage: ruby ruby_activerecord.rb /var/lib/usher/usher.db
require 'active_record'

ActiveRecord::Base.establish_connection(adapter: 'sqlite3', database: ARGV[0], timeout: 5000) # waits 5 s for locks
# Rails 8 says BEGIN IMMEDIATE by itself.
ActiveRecord::Base.connection.class.class_eval { def begin_db_transaction = execute('BEGIN IMMEDIATE') }
Base = ActiveRecord::Base

class Meeting < Base
  self.table_name = 'meeting'
  self.primary_key = 'id' # text
end

class Participant < Base # id is a key without meaning; the person is participant_id
  self.table_name = 'participant'
end

def ask(sql, *values) = Base.connection.select_rows(Base.sanitize_sql_array([sql, *values]))
def run(sql, *values) = Base.transaction { Base.connection.execute(Base.sanitize_sql_array([sql, *values])) }
def wait(sql, *values)
  1200.times do
    rows = ask(sql, *values)
    return rows.first unless rows.empty?

    sleep 0.05
  end
  abort "nothing came: #{ask('SELECT * FROM usher_status')}"
end

starts_at = Time.now.to_i + 600 # whole Unix seconds, UTC
begin
  Meeting.create!(id: 'ruby-0', title: '', starts_at: starts_at * 1000, ends_at: starts_at)
rescue ActiveRecord::StatementInvalid => e
  puts "refused: #{e.message}"
end

seen = ask('SELECT COALESCE(max(seq), 0) FROM meeting_status')[0][0] # 64 bits
Base.transaction do
  Participant.where(meeting_id: %w[ruby-1 ruby-2]).delete_all
  Base.connection.execute("DELETE FROM block WHERE meeting_id = 'ruby-1'")
  %w[ruby-1 ruby-2].each do |id| # two meetings that share a person
    meeting = Meeting.find_or_initialize_by(id: id)
    meeting.update!(title: 'Stand-up', starts_at: starts_at, ends_at: starts_at + 900, status: 'scheduled')
    Participant.create!(meeting_id: id, participant_id: '7', role: 'publisher')
  end
  Participant.create!(meeting_id: 'ruby-1', participant_id: 'bob', role: 'subscriber')
end
credential = 'SELECT project_key, session_id, token FROM join_credential WHERE meeting_id = ? AND participant_id = ?'
puts "credential: #{wait(credential, 'ruby-1', '7').join(' ')}"

Participant.find_by(meeting_id: 'ruby-1', participant_id: '7').update!(role: 'moderator')
wait("#{credential} AND role = 'moderator'", 'ruby-1', '7')
puts "role: moderator; in the other meeting: #{Participant.find_by(meeting_id: 'ruby-2', participant_id: '7').role}"

run("INSERT INTO block (meeting_id, participant_id, reason) VALUES ('ruby-1', 'bob', 'asked to leave')")
puts "blocked: #{ask(credential, 'ruby-1', 'bob').first || 'none'}"

run("INSERT INTO request (action, meeting_id, requested_by) VALUES ('rotate', 'ruby-1', 'ruby')")
request = ask("SELECT max(id) FROM request WHERE meeting_id = 'ruby-1'")[0][0]
puts "request: #{wait("SELECT state FROM request_status WHERE id = ? AND state IN ('done', 'refused')", request)[0]}"

ask('SELECT meeting_id, state, seq FROM meeting_status WHERE seq > ? ORDER BY seq', seen).each do |id, state, seq|
  puts "changed: #{id} #{state} #{seq}" if id == 'ruby-1'
end

Meeting.find('ruby-1').update!(status: 'cancelled')
puts "cancelled: #{ask(credential, 'ruby-1', '7').first || 'none'}"
