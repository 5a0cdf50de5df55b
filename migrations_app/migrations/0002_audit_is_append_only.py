"""The audit's head row, and triggers that refuse every change of an entry, whoever asks."""

from django.db import migrations

REFUSE = """
CREATE FUNCTION tidegate_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only: % of % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = '42501';
END $$;
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON migrations_app_auditevent
    FOR EACH ROW EXECUTE FUNCTION tidegate_audit_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON migrations_app_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION tidegate_audit_refuse();
CREATE TRIGGER audit_head_stays BEFORE DELETE ON migrations_app_audithead
    FOR EACH ROW EXECUTE FUNCTION tidegate_audit_refuse();
"""
ALLOW = """
DROP TRIGGER audit_head_stays ON migrations_app_audithead;
DROP TRIGGER audit_no_truncate ON migrations_app_auditevent;
DROP TRIGGER audit_no_change ON migrations_app_auditevent;
DROP FUNCTION tidegate_audit_refuse();
"""


def make_head(apps, schema_editor):
    apps.get_model("migrations_app", "AuditHead").objects.get_or_create(pk=1)


class Migration(migrations.Migration):
    dependencies = [("migrations_app", "0001_initial")]
    operations = [
        migrations.RunPython(make_head, migrations.RunPython.noop),
        migrations.RunSQL(REFUSE, ALLOW),
    ]
