CREATE ACCESS METHOD t_rules_method TYPE TABLE HANDLER heap_tableam_handler;
ALTER TABLE users SET ACCESS METHOD t_rules_method;
