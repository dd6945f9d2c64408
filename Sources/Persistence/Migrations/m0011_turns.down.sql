DROP FUNCTION submit_turn;
