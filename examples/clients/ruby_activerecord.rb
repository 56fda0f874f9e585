# A scheduling platform in Ruby, with ActiveRecord. usage: ruby ruby_activerecord.rb /var/lib/usher/usher.db
require 'active_record'

ActiveRecord::Base.establish_connection(adapter: 'sqlite3', database: ARGV[0], timeout: 5000) # waits 5 s for locks
Base = ActiveRecord::Base
# Rails 8 says BEGIN IMMEDIATE by itself. Before, this has its BEGIN say so.
Base.connection.class.prepend(Module.new { def begin_db_transaction = execute('BEGIN IMMEDIATE') })

class Meeting < Base
  self.table_name = 'meeting'
  self.primary_key = 'id' # text
end

class Participant < Base # id is a key without meaning; the person is participant_id
  self.table_name = 'participant'
end

def ask(sql, *values) = Base.connection.select_rows(Base.sanitize_sql_array([sql, *values]))
def wait(sql, *values)
  deadline = Time.now + 60
  while Time.now < deadline
    row = ask(sql, *values).first and return row
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
  %w[ruby-1 ruby-2].each do |id| # two meetings that share a person
    meeting = Meeting.find_or_initialize_by(id: id)
    meeting.update!(title: 'Stand-up', starts_at: starts_at, ends_at: starts_at + 900, status: 'scheduled')
    {'7' => 'publisher', 'bob' => 'subscriber'}.each do |name, role|
      Participant.find_or_initialize_by(meeting_id: id, participant_id: name).update!(role: role)
    end
  end
  Base.connection.delete("DELETE FROM block WHERE meeting_id = 'ruby-1'")
end
credential = 'SELECT project_key, session_id, token FROM join_credential WHERE meeting_id = ? AND participant_id = ?'
puts "credential: #{wait(credential, 'ruby-1', '7').join(' ')}"

both = Participant.where(participant_id: '7', meeting_id: %w[ruby-1 ruby-2]).order(:meeting_id)
person, other = both.to_a
person.update!(role: 'moderator')
wait("#{credential} AND role = 'moderator'", 'ruby-1', '7')
puts "role: moderator; in the other meeting: #{other.reload.role}"
other.destroy!
puts "left after a delete: #{both.count}"

Base.connection.insert("INSERT INTO block (meeting_id, participant_id) VALUES ('ruby-1', 'bob')")
puts "blocked: #{ask(credential, 'ruby-1', 'bob').first || 'none'}"

request = Base.connection.insert("INSERT INTO request (action, meeting_id) VALUES ('rotate', 'ruby-1')")
puts "request: #{wait("SELECT state FROM request_status WHERE id = ? AND done_at IS NOT NULL", request)[0]}"

ask('SELECT meeting_id, state, seq FROM meeting_status WHERE seq > ? ORDER BY seq', seen).each do |row|
  puts "changed: #{row.join(' ')}"
end

Meeting.find('ruby-1').update!(status: 'cancelled')
puts "cancelled: #{ask(credential, 'ruby-1', '7').first || 'none'}"
