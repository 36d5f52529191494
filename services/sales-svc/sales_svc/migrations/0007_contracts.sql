-- Contracts: the clause library, templates, versions of negotiation, signatures, the audit trail, and terms that renew.

CREATE TABLE clause (
    id          uuid PRIMARY KEY,
    code        text NOT NULL,
    language    text NOT NULL CHECK (language ~ '^[a-z]{2}$'),
    version     integer NOT NULL CHECK (version >= 1),
    title       text NOT NULL,
    text        text NOT NULL,
    valid_from  timestamptz NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL,
    approved_by text,
    approved_at timestamptz,
    UNIQUE (code, language, version),
    CHECK ((approved_by IS NULL) = (approved_at IS NULL))
);
-- A version is never edited; it is approved once.
CREATE FUNCTION clause_is_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.approved_at IS NOT NULL OR (NEW.id, NEW.code, NEW.language, NEW.version, NEW.title, NEW.text, NEW.valid_from, NEW.created_by)
       IS DISTINCT FROM (OLD.id, OLD.code, OLD.language, OLD.version, OLD.title, OLD.text, OLD.valid_from, OLD.created_by)
    THEN
        RAISE EXCEPTION 'clause % version % is never edited: add a version', OLD.code, OLD.version USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER clause_written BEFORE UPDATE ON clause FOR EACH ROW EXECUTE FUNCTION clause_is_written();
CREATE TRIGGER clause_kept BEFORE DELETE ON clause FOR EACH ROW EXECUTE FUNCTION kept_as_written();

CREATE TABLE contract_template (
    id               uuid PRIMARY KEY,
    code             text NOT NULL,
    version          integer NOT NULL CHECK (version >= 1),
    name             text NOT NULL,
    language         text NOT NULL,
    automatic        boolean NOT NULL,
    priority         integer NOT NULL,
    condition        jsonb,
    clauses          jsonb NOT NULL,
    months           integer CHECK (months BETWEEN 1 AND 600),
    auto_renew       boolean NOT NULL,
    renewal_months   integer CHECK (renewal_months BETWEEN 1 AND 120),
    notice_days      integer CHECK (notice_days BETWEEN 0 AND 730),
    countersign      boolean NOT NULL,
    sign_within_days integer NOT NULL CHECK (sign_within_days BETWEEN 1 AND 365),
    valid_from       timestamptz NOT NULL,
    created_by       text NOT NULL,
    created_at       timestamptz NOT NULL,
    UNIQUE (code, version),
    UNIQUE (code, valid_from)
);
CREATE TRIGGER contract_template_kept BEFORE UPDATE OR DELETE ON contract_template FOR EACH ROW EXECUTE FUNCTION kept_as_written();

-- The contract as it is now. Drafts from before clauses had texts are given up, so that they are drawn up again.
ALTER TABLE contract
    DROP CONSTRAINT contract_quote_id_key,
    DROP CONSTRAINT contract_state_check,
    DROP CONSTRAINT contract_check,
    ADD COLUMN contract_version integer NOT NULL DEFAULT 1,
    ADD COLUMN template         text NOT NULL DEFAULT 'none',
    ADD COLUMN template_version integer NOT NULL DEFAULT 0,
    ADD COLUMN language         text NOT NULL DEFAULT 'en',
    ADD COLUMN months           integer,
    ADD COLUMN auto_renew       boolean NOT NULL DEFAULT false,
    ADD COLUMN renewal_months   integer,
    ADD COLUMN notice_days      integer,
    ADD COLUMN countersign      boolean NOT NULL DEFAULT false,
    ADD COLUMN sign_within_days integer NOT NULL DEFAULT 30,
    ADD COLUMN sign_by          date,
    ADD COLUMN pdf_sha256       char(64),
    ADD COLUMN closed_reason    text;
UPDATE contract SET state = 'expired', closed_reason = 'drawn up before clauses had texts' WHERE state = 'draft';
ALTER TABLE contract
    ADD CHECK (state IN ('draft', 'sent', 'in_negotiation', 'countersigning', 'signed', 'declined', 'expired')),
    ADD CHECK (state <> 'signed' OR (signed_at IS NOT NULL AND signed_by IS NOT NULL)),
    ADD CHECK ((state IN ('declined', 'expired')) = (closed_reason IS NOT NULL));
CREATE UNIQUE INDEX contract_of_quote ON contract (quote_id) WHERE state NOT IN ('declined', 'expired');
CREATE UNIQUE INDEX contract_of_opportunity ON contract (opportunity_id) WHERE state NOT IN ('declined', 'expired');
CREATE INDEX contract_sign_by ON contract (sign_by) WHERE state IN ('sent', 'in_negotiation');

CREATE TABLE contract_version (
    contract_id      uuid NOT NULL REFERENCES contract,
    contract_version integer NOT NULL CHECK (contract_version >= 1),
    quote_id         uuid NOT NULL REFERENCES quote,
    supplier         jsonb,
    letterhead       integer,
    wordings         jsonb NOT NULL,
    document         text NOT NULL,
    document_sha256  char(64) NOT NULL,
    author           text NOT NULL,
    reason           text NOT NULL,
    created_at       timestamptz NOT NULL,
    pdf              bytea,
    pdf_sha256       char(64),
    PRIMARY KEY (contract_id, contract_version),
    CHECK ((pdf IS NULL) = (pdf_sha256 IS NULL))
);
INSERT INTO contract_version (contract_id, contract_version, quote_id, wordings, document, document_sha256, author, reason, created_at)
SELECT id, 1, quote_id, '[]', document, document_sha256, 'migration', 'drawn up before clauses had texts', created_at FROM contract;
-- A version never changes; its PDF is printed once.
CREATE FUNCTION contract_version_is_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.pdf IS NOT NULL
       OR (NEW.contract_id, NEW.contract_version, NEW.quote_id, NEW.supplier, NEW.letterhead, NEW.wordings, NEW.document,
           NEW.document_sha256, NEW.author, NEW.reason, NEW.created_at)
       IS DISTINCT FROM
          (OLD.contract_id, OLD.contract_version, OLD.quote_id, OLD.supplier, OLD.letterhead, OLD.wordings, OLD.document,
           OLD.document_sha256, OLD.author, OLD.reason, OLD.created_at)
    THEN
        RAISE EXCEPTION 'a version of a contract never changes: add a version' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER contract_version_written BEFORE UPDATE ON contract_version FOR EACH ROW EXECUTE FUNCTION contract_version_is_written();
CREATE TRIGGER contract_version_kept BEFORE DELETE ON contract_version FOR EACH ROW EXECUTE FUNCTION kept_as_written();

CREATE TABLE contract_signature (
    contract_id      uuid NOT NULL REFERENCES contract,
    party            text NOT NULL CHECK (party IN ('customer', 'supplier')),
    name             text NOT NULL,
    method           text NOT NULL CHECK (method IN ('link', 'api')),
    consent          text NOT NULL,
    signed_at        timestamptz NOT NULL,
    address          text,
    user_agent       text,
    contract_version integer NOT NULL,
    document_sha256  char(64) NOT NULL,
    pdf_sha256       char(64) NOT NULL,
    PRIMARY KEY (contract_id, party),
    FOREIGN KEY (contract_id, contract_version) REFERENCES contract_version
);
CREATE TRIGGER contract_signature_kept BEFORE UPDATE OR DELETE ON contract_signature FOR EACH ROW EXECUTE FUNCTION kept_as_written();

-- What happened to a contract. Each record's digest covers the digest of the one before it.
CREATE TABLE contract_record (
    contract_id uuid NOT NULL REFERENCES contract,
    number      integer NOT NULL CHECK (number >= 1),
    happening   text NOT NULL,
    by          text NOT NULL,
    address     text,
    user_agent  text,
    detail      jsonb NOT NULL,
    at          timestamptz NOT NULL,
    previous    char(64) NOT NULL,
    digest      char(64) NOT NULL,
    PRIMARY KEY (contract_id, number)
);
CREATE TRIGGER contract_record_kept BEFORE UPDATE OR DELETE ON contract_record FOR EACH ROW EXECUTE FUNCTION kept_as_written();

CREATE TABLE contract_certificate (
    contract_id uuid PRIMARY KEY REFERENCES contract,
    pdf         bytea NOT NULL,
    sha256      char(64) NOT NULL,
    printed_at  timestamptz NOT NULL
);
CREATE TRIGGER contract_certificate_kept BEFORE UPDATE OR DELETE ON contract_certificate
    FOR EACH ROW EXECUTE FUNCTION kept_as_written();

-- Terms of signed contracts, and who is reminded when.
CREATE TABLE contract_term (
    contract_id uuid NOT NULL REFERENCES contract,
    number      integer NOT NULL CHECK (number >= 1),
    starts_on   date NOT NULL,
    ends_on     date NOT NULL CHECK (ends_on >= starts_on),
    notice_by   date NOT NULL,
    auto_renew  boolean NOT NULL,
    state       text NOT NULL CHECK (state IN ('running', 'notice_given', 'renewed', 'ended')),
    PRIMARY KEY (contract_id, number)
);
CREATE UNIQUE INDEX contract_term_one ON contract_term (contract_id) WHERE state IN ('running', 'notice_given');
CREATE INDEX contract_term_end ON contract_term (ends_on) WHERE state IN ('running', 'notice_given');

CREATE TABLE contract_reminder (
    contract_id uuid NOT NULL,
    term        integer NOT NULL,
    days_before integer NOT NULL,
    due_on      date NOT NULL,
    done_at     timestamptz,
    PRIMARY KEY (contract_id, term, days_before),
    FOREIGN KEY (contract_id, term) REFERENCES contract_term
);
CREATE INDEX contract_reminder_due ON contract_reminder (due_on) WHERE done_at IS NULL;

CREATE TABLE renewal_policy (
    version     integer PRIMARY KEY CHECK (version >= 1),
    days_before integer[] NOT NULL,
    mail_to     text[] NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL
);
CREATE TRIGGER renewal_policy_kept BEFORE UPDATE OR DELETE ON renewal_policy FOR EACH ROW EXECUTE FUNCTION kept_as_written();
INSERT INTO renewal_policy VALUES (1, '{90, 30, 7}', '{}', 'migration', now());

INSERT INTO clause (id, code, language, version, title, text, valid_from, created_by, created_at, approved_by, approved_at)
SELECT gen_random_uuid(), c.code, c.language, 1, c.title, c.text, '2000-01-01T00:00:00Z', 'migration', now(), 'migration', now()
FROM (VALUES
    ('scope', 'en', 'Subject of the contract', 'The Supplier provides to the Customer the goods and services listed in the schedule of prices, which is that of quote {{ quote.number }}, in the quantities and at the prices stated there.

The schedule of prices and these clauses are the whole agreement of the parties on this subject. General terms of either party do not apply, even where a later order or confirmation refers to them.

A change of this contract needs the consent of both parties in text form.'),
    ('delivery', 'en', 'Delivery', 'The Supplier confirms a day of delivery for the order, and informs the Customer without delay when that day cannot be kept.

Risk passes to the Customer when the goods are handed over at the agreed place. Partial deliveries are permitted where the Customer can make use of the parts.

If the Supplier has not delivered within 30 days after a reminder in text form, the Customer may withdraw from the part that is outstanding.'),
    ('acceptance', 'en', 'Inspection and acceptance', 'The Customer inspects what was delivered without delay and reports visible defects within 14 days of delivery. What is not reported in time counts as accepted, unless the defect could not have been found.

Services with milestones are accepted milestone by milestone. Minor defects do not prevent acceptance; they are remedied under the warranty.'),
    ('payment', 'en', 'Price and payment', 'The price is {{ total.net }} plus tax of {{ total.tax }}, in total {{ total.gross }}. It is firm for the scope of this contract.

Invoices are payable within {{ payment_days }} days of their date, without deduction. On late payment the Supplier may charge interest at the statutory rate.

The Customer may set off only claims that are undisputed or have been finally decided by a court.'),
    ('title', 'en', 'Retention of title', 'Goods remain the property of the Supplier until they are paid in full. Until then the Customer keeps them with care, and informs the Supplier without delay of any claim of a third party to them.'),
    ('warranty', 'en', 'Warranty', 'The Supplier warrants for 12 months from delivery that what it provides is free of defects and has the properties agreed in this contract.

Defects reported in that time are remedied by repair or replacement, at the choice of the Supplier. If a remedy fails twice, the Customer may reduce the price or, where the defect is substantial, withdraw from the contract.'),
    ('liability', 'en', 'Liability', 'Each party is liable without limit for intent and gross negligence, for injury to life, body and health, and wherever the law does not permit a limit.

In all other cases the liability of a party is limited in total to the net price of this contract, {{ total.net }}. Neither party is liable for lost profit or for indirect damage.

Neither party is liable for a failure that is caused by events beyond its reasonable control, as long as they last.'),
    ('confidentiality', 'en', 'Confidentiality', 'Each party keeps confidential what it learns of the business of the other, uses it for this contract alone, and passes it on only to those who need it for that and are bound in the same way. This lasts for three years after the end of the contract.

It does not apply to what is public, was known before, or must be disclosed by law.'),
    ('data_protection', 'en', 'Data protection', 'Each party processes personal data of the other''s staff only to carry out this contract, and by the data protection law that applies to it. Where the Supplier processes personal data on behalf of the Customer, the parties conclude a separate agreement before it begins.'),
    ('term', 'en', 'Term, renewal and notice', 'This contract runs for {{ term.months }} months. It then renews for {{ term.renewal_months }} months at a time, unless one party gives notice in text form at least {{ term.notice_days }} days before the end of the running term.

The right of each party to terminate for good cause is not affected.'),
    ('general', 'en', 'Law, venue and signature', 'The law of the country in which the Supplier has its seat applies, without the United Nations Convention on Contracts for the International Sale of Goods. The courts at the seat of the Supplier have jurisdiction.

If a clause is void, the others remain in force; the parties replace it by one that comes closest to its purpose.

This contract may be signed electronically. The parties accept the electronic signature and its certificate as evidence.'),
    ('scope', 'zh', '合同标的', '供方按照报价单 {{ quote.number }} 所附价格表载明的品种、数量和价格，向需方提供货物与服务。

价格表与本合同条款构成双方就本标的达成的全部协议。任何一方的一般交易条件均不适用，即使其后的订单或确认书提及该等条件。

对本合同的变更须经双方以书面形式同意。'),
    ('delivery', 'zh', '交付', '供方应就订单确认交付日期；不能如期交付时，应立即通知需方。

货物在约定地点交付时，风险转移至需方。需方能够使用部分货物的，允许分批交付。

经书面催告后 30 日内供方仍未交付的，需方可就未交付部分解除合同。'),
    ('acceptance', 'zh', '检验与验收', '需方应及时检验所交付的货物与成果，并在交付后 14 日内就可见瑕疵提出通知。逾期未通知的视为验收合格，但无法发现的瑕疵除外。

按里程碑提供的服务逐项验收。轻微瑕疵不影响验收，由供方按质量保证条款予以补救。'),
    ('payment', 'zh', '价款与支付', '合同价款为 {{ total.net }}，税款为 {{ total.tax }}，合计 {{ total.gross }}。在本合同范围内价格固定不变。

发票自开具之日起 {{ payment_days }} 日内全额支付。逾期付款的，供方可按法定利率收取利息。

需方仅可就无争议的或经法院终审确认的债权主张抵销。'),
    ('title', 'zh', '所有权保留', '价款全部付清前，货物的所有权归供方所有。在此期间需方应妥善保管货物；第三方对货物主张权利的，需方应立即通知供方。'),
    ('warranty', 'zh', '质量保证', '供方保证其所提供的货物与服务自交付之日起 12 个月内无瑕疵，并具备本合同约定的性能。

在此期间提出的瑕疵由供方选择修理或更换。两次补救均未成功的，需方可要求减少价款；瑕疵重大的，可解除合同。'),
    ('liability', 'zh', '责任', '因故意或重大过失、造成人身伤害以及法律不允许限制责任的情形，双方承担的责任不受限制。

在其他情形下，一方的责任总额以本合同不含税价款 {{ total.net }} 为限。任何一方均不对利润损失或间接损失负责。

因超出合理控制范围的事件不能履行的，在该事件持续期间双方均不承担责任。'),
    ('confidentiality', 'zh', '保密', '双方对所知悉的对方商业信息予以保密，仅用于履行本合同，并仅向确有需要且承担同等义务的人员披露。本义务在合同终止后持续三年。

已公开的、此前已知悉的或依法必须披露的信息除外。'),
    ('data_protection', 'zh', '个人信息保护', '双方仅为履行本合同之目的处理对方人员的个人信息，并遵守其所适用的个人信息保护法律。供方受需方委托处理个人信息的，双方应事先另行签订协议。'),
    ('term', 'zh', '期限、续期与终止', '本合同期限为 {{ term.months }} 个月。除非一方在期限届满前至少 {{ term.notice_days }} 日以书面形式通知不再续期，本合同每次自动续期 {{ term.renewal_months }} 个月。

任何一方因正当理由解除合同的权利不受影响。'),
    ('general', 'zh', '法律适用、管辖与签署', '本合同适用供方所在地法律，不适用《联合国国际货物销售合同公约》。由供方所在地法院管辖。

部分条款无效的，不影响其他条款的效力；双方应以最接近其目的的条款予以替代。

本合同可以电子方式签署，双方认可电子签名及其证书具有证据效力。')
) AS c (code, language, title, text);

INSERT INTO contract_template (id, code, version, name, language, automatic, priority, condition, clauses, months, auto_renew,
                               renewal_months, notice_days, countersign, sign_within_days, valid_from, created_by, created_at) VALUES
    (gen_random_uuid(), 'standard', 1, 'Standard supply', 'en', true, 0, NULL,
     '[{"code": "scope", "version": null, "condition": null}, {"code": "delivery", "version": null, "condition": null}, {"code": "acceptance", "version": null, "condition": null}, {"code": "payment", "version": null, "condition": null}, {"code": "title", "version": null, "condition": null}, {"code": "warranty", "version": null, "condition": null}, {"code": "liability", "version": null, "condition": null}, {"code": "confidentiality", "version": null, "condition": null}, {"code": "data_protection", "version": null, "condition": null}, {"code": "general", "version": null, "condition": null}]',
     NULL, false, NULL, NULL, false, 30, '2000-01-01T00:00:00Z', 'migration', now()),
    (gen_random_uuid(), 'standard-zh', 1, '标准供货合同', 'zh', true, 10, '{"field": "country", "is": "eq", "value": "CN"}',
     '[{"code": "scope", "version": null, "condition": null}, {"code": "delivery", "version": null, "condition": null}, {"code": "acceptance", "version": null, "condition": null}, {"code": "payment", "version": null, "condition": null}, {"code": "title", "version": null, "condition": null}, {"code": "warranty", "version": null, "condition": null}, {"code": "liability", "version": null, "condition": null}, {"code": "confidentiality", "version": null, "condition": null}, {"code": "data_protection", "version": null, "condition": null}, {"code": "general", "version": null, "condition": null}]',
     NULL, false, NULL, NULL, false, 30, '2000-01-01T00:00:00Z', 'migration', now()),
    (gen_random_uuid(), 'subscription', 1, 'Subscription of a year, renewing', 'en', false, 0, NULL,
     '[{"code": "scope", "version": null, "condition": null}, {"code": "delivery", "version": null, "condition": null}, {"code": "acceptance", "version": null, "condition": null}, {"code": "payment", "version": null, "condition": null}, {"code": "title", "version": null, "condition": null}, {"code": "warranty", "version": null, "condition": null}, {"code": "liability", "version": null, "condition": null}, {"code": "confidentiality", "version": null, "condition": null}, {"code": "data_protection", "version": null, "condition": null}, {"code": "term", "version": null, "condition": null}, {"code": "general", "version": null, "condition": null}]',
     12, true, 12, 90, false, 30, '2000-01-01T00:00:00Z', 'migration', now()),
    (gen_random_uuid(), 'subscription-zh', 1, '年度订阅合同（自动续期）', 'zh', false, 0, NULL,
     '[{"code": "scope", "version": null, "condition": null}, {"code": "delivery", "version": null, "condition": null}, {"code": "acceptance", "version": null, "condition": null}, {"code": "payment", "version": null, "condition": null}, {"code": "title", "version": null, "condition": null}, {"code": "warranty", "version": null, "condition": null}, {"code": "liability", "version": null, "condition": null}, {"code": "confidentiality", "version": null, "condition": null}, {"code": "data_protection", "version": null, "condition": null}, {"code": "term", "version": null, "condition": null}, {"code": "general", "version": null, "condition": null}]',
     12, true, 12, 90, false, 30, '2000-01-01T00:00:00Z', 'migration', now());
